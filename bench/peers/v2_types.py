"""Whether MLServer's own types take V2 documents whole: kind -> document, JSON on stdin; runs where MLServer is there.

Prints a line for each document that they refuse, or of which they drop a field; exit status 1 then.
"""

import json
import sys

from mlserver import types

KINDS = {
    "server": types.MetadataServerResponse,
    "model": types.MetadataModelResponse,
    "inference": types.InferenceResponse,
    "error": types.InferenceErrorResponse,
}
OPEN = ("error",)  # what is beside "error" is the server's own


def main() -> int:
    failed = 0
    for kind, document in json.load(sys.stdin).items():
        try:
            kept = KINDS[kind].model_validate(document).model_dump(mode="json", by_alias=True, exclude_unset=True)
            expected = {"error": document["error"]} if kind in OPEN else document
            said = "" if kept == expected else f"kept {json.dumps(kept)[:500]} of {json.dumps(expected)[:500]}"
        except ValueError as error:  # of pydantic
            said = str(error)
        if said:
            failed += 1
            print(f"{kind}: {said}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
