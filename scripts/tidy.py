"""The test `tidy`: holds what no compiler checks. Run by scripts/test.py; `python3 scripts/tidy.py` runs it alone.

1 includes   a folder of src/ includes only itself and the folders above it in ORDER
2 size       no source file over 600 lines
3 opening    every file of src/ opens with a comment of what it is for (x.cpp is covered by x.h, x_test.cpp by either)
4 places     no path of somebody's machine in any tracked text file
5 pragma     every header has #pragma once
6 pending    no TODO, FIXME or XXX"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
ORDER = ["base", "crypto", "observe", "net", "redis", "http", "cache", "delivery", "schema", "route", "upstream", "plugin",
         "plugins", "gateway", "dialect", "admin", "command"]
LONGEST = 600
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')
PLACES = re.compile(r"(?<![\w.])/(?:work|root|home/\w+)/[\w.]|(?<![\w.])/tmp/cardea/")
PENDING = re.compile(r"\b(?:TODO|FIXME|XXX)\b")


def sources():
    return sorted(path for path in (ROOT / "src").rglob("*") if path.suffix in (".h", ".cpp"))


def tracked():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode != 0:  # an unpacked archive
        return [path for path in ROOT.rglob("*") if path.is_file() and not path.relative_to(ROOT).parts[0].startswith("build")]
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def shown(path, line=None):
    return str(path.relative_to(ROOT)) + (f":{line}" if line else "")


def lines_of(path):
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def includes():
    for path in sources():
        folder = path.relative_to(ROOT / "src").parts[0]
        if folder not in ORDER:
            if path.parent != ROOT / "src":
                yield f"{shown(path)}: folder {folder} has no place in the order"
            continue
        for number, line in enumerate(lines_of(path), 1):
            found = INCLUDE.match(line)
            if not found:
                continue
            target = found.group(1).split("/")[0]
            if target not in ORDER:
                yield f"{shown(path, number)}: include paths are relative to src/: {found.group(1)}"
            elif ORDER.index(target) > ORDER.index(folder):
                yield f"{shown(path, number)}: {folder} may not include {found.group(1)}"
            elif not (ROOT / "src" / found.group(1)).exists():
                yield f"{shown(path, number)}: no such file: {found.group(1)}"


def size():
    for path in sources():
        count = len(lines_of(path))
        if count > LONGEST:
            yield f"{shown(path)}: {count} lines, look for the second idea in it"


def opening():
    for path in sources():
        about = path.with_name(re.sub(r"_(?:test|bench|fuzz)$", "", path.stem) + ".h")
        if path.suffix == ".cpp" and (about.exists() or (about.stem != path.stem and about.with_suffix(".cpp").exists())):
            continue
        lines = lines_of(path)
        if not lines or not lines[0].startswith("//"):
            yield f"{shown(path)}: opens without saying what it is for"


def places():
    for path in tracked():
        if path.stat().st_size > 1 << 20 or path == pathlib.Path(__file__).resolve():
            continue
        content = path.read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode(errors="replace").splitlines(), 1):
            if PLACES.search(line):
                yield f"{shown(path, number)}: a path of one machine: {line.strip()[:100]}"


def pragma():
    for path in sources():
        if path.suffix == ".h" and "#pragma once" not in lines_of(path):
            yield f"{shown(path)}: no #pragma once"


def pending():
    for path in sources():
        for number, line in enumerate(lines_of(path), 1):
            if PENDING.search(line):
                yield f"{shown(path, number)}: {line.strip()[:100]}"


def main():
    failed = 0
    rules = [includes, size, opening, places, pragma, pending]
    for rule in rules:
        found = list(rule())
        for line in found:
            print(f"{rule.__name__}: {line}")
        failed += bool(found)
    print(f"{len(rules) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
