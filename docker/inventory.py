"""Print what is installed in the image this runs in, as JSON; standard library only.   docker run … python3 - < this"""

import json
from importlib.metadata import distributions
from pathlib import Path

python = sorted(
    (
        {
            "name": each.metadata["Name"].lower().replace("_", "-"),
            "version": each.version,
            "license": each.metadata.get("License-Expression") or "",
        }
        for each in distributions()
    ),
    key=lambda each: each["name"],
)
debian = []
for stanza in Path("/var/lib/dpkg/status").read_text().split("\n\n"):
    fields = dict(line.split(": ", 1) for line in stanza.splitlines() if line[:1].isalpha() and ": " in line)
    if fields.get("Status", "").endswith(" installed"):
        debian.append({name.lower(): fields[name] for name in ("Package", "Version", "Architecture")})
release = dict(
    line.replace('"', "").split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line
)
print(json.dumps({"python": python, "debian": debian, "release": f"{release['ID']}-{release['VERSION_ID']}"}))
