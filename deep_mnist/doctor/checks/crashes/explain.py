"""What is known of an error that ended a program, as a finding: layer or line, what it takes and got, the fix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from deep_mnist.doctor.checks.crashes import (
    fitting,
    graphs,
    inputs,
    layers,
    models,
    operands,
    operations,
    sessions,
    symbols,
    targets,
)
from deep_mnist.doctor.checks.crashes.building import reshapes, sizes
from deep_mnist.doctor.checks.crashes.building.arguments import explain_own_method
from deep_mnist.doctor.checks.crashes.building.classes import explain_class
from deep_mnist.doctor.checks.crashes.building.connections import explain_disconnected, explain_layer_name
from deep_mnist.doctor.checks.crashes.building.forms import explain_form
from deep_mnist.doctor.checks.crashes.building.graph_sizes import explain_graph_size
from deep_mnist.doctor.checks.crashes.building.lacking import explain_lacking
from deep_mnist.doctor.checks.crashes.building.symbols_read import explain_symbol_read
from deep_mnist.doctor.checks.crashes.crash import Crash
from deep_mnist.doctor.checks.crashes.files import machine
from deep_mnist.doctor.checks.crashes.files.columns import explain_column
from deep_mnist.doctor.checks.crashes.files.encodings import explain_encoding
from deep_mnist.doctor.checks.crashes.files.folders import explain_folder
from deep_mnist.doctor.checks.crashes.files.missing_texts import explain_missing_text
from deep_mnist.doctor.checks.crashes.files.ragged import explain_batched, explain_ragged
from deep_mnist.doctor.checks.crashes.files.saved import explain_compiled, explain_saved_layer
from deep_mnist.doctor.checks.crashes.files.stored import explain_stored
from deep_mnist.doctor.checks.crashes.files.tables import explain_table_file
from deep_mnist.doctor.checks.crashes.files.texts import explain_text
from deep_mnist.doctor.checks.crashes.names.added_metrics import explain_added_metric
from deep_mnist.doctor.checks.crashes.names.arguments import explain_argument
from deep_mnist.doctor.checks.crashes.names.attributes import explain_name
from deep_mnist.doctor.checks.crashes.names.choices import explain_choice
from deep_mnist.doctor.checks.crashes.names.hidden import explain_hidden
from deep_mnist.doctor.checks.crashes.names.lazy import explain_lazy
from deep_mnist.doctor.checks.crashes.names.misspelled import explain_misspelled
from deep_mnist.doctor.checks.crashes.names.read_only import explain_read_only
from deep_mnist.doctor.checks.crashes.names.tabular import explain_tabular
from deep_mnist.doctor.checks.crashes.names.unmade import explain_unmade
from deep_mnist.doctor.checks.crashes.names.whole_numbers import explain_number
from deep_mnist.doctor.checks.crashes.values import nothing
from deep_mnist.doctor.checks.crashes.values.arrays import explain_no_array
from deep_mnist.doctor.checks.crashes.values.axes import explain_axes
from deep_mnist.doctor.checks.crashes.values.class_numbers import explain_class_numbers
from deep_mnist.doctor.checks.crashes.values.class_targets import explain_class_targets
from deep_mnist.doctor.checks.crashes.values.column_types import explain_column_type
from deep_mnist.doctor.checks.crashes.values.fitted import explain_fitted
from deep_mnist.doctor.checks.crashes.values.fractions import explain_fraction
from deep_mnist.doctor.checks.crashes.values.kinds import explain_kind
from deep_mnist.doctor.checks.crashes.values.missing_numbers import explain_missing_number
from deep_mnist.doctor.checks.crashes.values.no_table import explain_no_table
from deep_mnist.doctor.checks.crashes.values.parts import explain_parts
from deep_mnist.doctor.checks.crashes.values.tables import explain_table
from deep_mnist.doctor.checks.crashes.values.truths import explain_truth
from deep_mnist.doctor.evidence.live.statements.module_names import in_own_modules
from deep_mnist.doctor.finding import Finding

# In this order: what names the cause most exactly first.
EXPLAINERS: tuple[Callable[[Crash], Finding | None], ...] = (
    explain_hidden,
    explain_column,
    explain_encoding,
    explain_stored,
    explain_table_file,
    explain_text,
    explain_folder,
    explain_saved_layer,
    explain_compiled,
    explain_ragged,
    explain_batched,
    explain_missing_text,
    machine.explain_machine,
    machine.explain_key,
    machine.explain_saved,
    explain_graph_size,
    nothing.explain_nothing,
    nothing.explain_value,
    symbols.explain_unlisted,
    explain_added_metric,
    explain_tabular,
    explain_name,
    explain_read_only,
    explain_own_method,
    explain_argument,
    explain_misspelled,
    explain_lazy,
    explain_number,
    models.explain_option,
    models.explain_mixed,
    symbols.explain_symbol,
    models.explain_not_called,
    inputs.explain_built_by_call,
    inputs.explain_model_input,
    layers.explain_rank,
    layers.explain_inner_rank,
    layers.explain_width,
    sizes.explain_nothing_left,
    sizes.explain_reshape,
    sizes.explain_merge,
    inputs.explain_input_shape,
    inputs.explain_input_count,
    inputs.explain_count,
    fitting.explain_compile,
    fitting.explain_static_batch,
    fitting.explain_index,
    fitting.explain_made_in_call,
    targets.explain_target,
    models.explain_weights,
    models.explain_unbuilt,
    sessions.explain_feed,
    graphs.explain_variables,
    graphs.explain_loop,
    graphs.explain_gradients,
    graphs.explain_tape,
    graphs.explain_mode,
    reshapes.explain_reshape_at_run,
    operands.explain_types,
    operations.explain_frames,
    operations.explain_operation,
    explain_class_numbers,
    explain_missing_number,
    fitting.explain_objects,
    machine.explain_arrays,
    explain_lacking,
    explain_class,
    explain_form,
    explain_disconnected,
    explain_layer_name,
    explain_symbol_read,
    explain_no_array,
    explain_no_table,
    explain_fraction,
    explain_choice,
    explain_table,
    explain_class_targets,
    explain_truth,
    explain_axes,
    explain_fitted,
    explain_kind,
    explain_column_type,
    explain_parts,
    explain_unmade,
)


def finding_of(
    error: BaseException, script: Path | None = None, model: Any = None, caller: FrameType | None = None
) -> Finding | None:
    """Return what is known of an error, None where nothing is sure.

    Args:
        error: As it was raised, with its traceback.
        script: The program's file, whose folder a missing file may lie in.
        model: Of the fit that raised, where the traceback may not tell.
        caller: Frame of the line that would call fit, where it was only tried.
    """
    crash = Crash(error, script, model, caller)
    for explain in EXPLAINERS:
        try:
            found = explain(crash)
        except Exception:  # half-made objects of the user's may raise anything: the error is then told as it is
            continue
        if found is not None:
            return in_own_modules(found, crash.user.frame if crash.user is not None else None)
    return None
