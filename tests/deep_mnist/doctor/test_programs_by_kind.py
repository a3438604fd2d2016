"""Programs of the kinds of failure that lie around the arrays: each is named first, by a fix that mends it.

Healthy programs of the same kinds, as close as people write them, are let through.
"""

from __future__ import annotations

import pytest

from tests.support.programs import judged, mended, programs

pytest.importorskip("keras")
pytest.importorskip("tensorflow")

KINDS = ("splits", "generators", "masks", "values", "classes", "sequences", "preparation", "later", "tested")
FAULTY = [each for kind in KINDS for each in programs(f"{kind}_faulty.txt")]
HEALTHY = [each for kind in KINDS for each in programs(f"{kind}_healthy.txt")]

# Whose fix is told in words, or is a layer that stands in a class.
SENTENCES = {"a_layer_of_ones_own_whitens", "each_split_encoded_by_itself", "a_class_for_every_step"}
SENTENCES |= {"two_recordings_for_each_label", "columns_of_a_table_and_the_amount_they_give"}
SENTENCES |= {"outlines_of_no_class", "the_first_word_as_padding", "two_names_for_the_loss_alone"}
SENTENCES |= {"marks_of_five_colours_in_a_long_list", "one_softmax_made_by_a_function_of_units"}
SENTENCES |= {"fewer_units_in_a_class", "one_unit_of_softmax_in_a_class", "targets_beyond_a_sigmoid_in_a_block"}
SENTENCES |= {"stars_of_five_under_a_sigmoid_in_a_class", "predicted_of_a_table_as_it_was_read"}
SENTENCES |= {
    "tested_on_rows_that_were_trained_on",
    "a_layer_of_functions_is_saved",
}
SENTENCES |= {"attention_to_the_padding_of_texts"}
SENTENCES |= {"pictures_and_labels_in_a_zip", "outlines_beside_scenes_in_one_flow"}
SENTENCES |= {"none_beside_a_callback", "one_sum_for_all_rows", "postal_codes_as_classes"}
SENTENCES |= {"thirty_kinds_in_turn_a_few_in_each_batch", "a_share_of_a_sequence_for_validation"}
SENTENCES |= {"single_rows_without_end_in_a_dataset", "turned_pictures_around_a_flow"}
SENTENCES |= {"a_layer_that_takes_no_more_arguments", "tags_of_a_class_counted_with_numpy"}
SENTENCES |= {"one_board_kept_a_hundred_times", "yesterday_in_the_window_in_another_scale"}
SENTENCES |= {"five_amounts_to_come_from_one_unit_at_each_step"}
SENTENCES |= {"what_moves_brought_in_place_of_the_moves", "signs_without_a_class_behind_the_end"}
SENTENCES |= {
    "an_optimizer_of_a_strategy_alone",
    "weights_of_classes_for_a_generator",
    "shares_of_a_whole_by_whole_numbers",
}
SENTENCES |= {"outlines_read_from_an_empty_folder", "bands_of_a_scene_before_its_rows"}
SENTENCES |= {"a_dataset_to_validate_on_that_drops_its_only_batch", "a_layer_in_the_place_of_predict"}


def graver(diagnosis):
    return [each for each in diagnosis.findings if each.severity in ("error", "warning")]


@pytest.mark.parametrize("program", HEALTHY, ids=lambda program: program.name)
def test_a_sound_program_is_let_through(program):
    """Neither an error nor a warning, and no check breaks."""
    diagnosis = judged(program)

    assert graver(diagnosis) == []
    assert diagnosis.broken == []


@pytest.mark.parametrize("program", FAULTY, ids=lambda program: program.name)
def test_a_fault_is_named_first_and_its_fix_mends_it(program):
    """The gravest finding is the program's own fault; with its fix in place the program is sound."""
    diagnosis = judged(program)
    first = graver(diagnosis)[0]
    assert first.rule.code in program.fields
    assert diagnosis.broken == []
    if first.fix[:1].isupper() and program.name in SENTENCES:
        return

    again = judged(mended(program, first.fix, diagnosis.origin.line))

    assert not {each.rule.code for each in again.findings} & {*program.fields}
    assert again.verdict == "fit"


def test_one_batch_has_no_order():
    """Drawn examples first and generated ones behind them are no sorted labels."""
    (program,) = (each for each in HEALTHY if each.name == "drawn_and_generated_in_one_batch")

    assert "splits.order" not in {each.field for each in judged(program).findings}
