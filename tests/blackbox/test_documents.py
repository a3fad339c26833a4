"""`cardea check`, and which documents `cardea run` takes."""

import json
import os
import resource
import subprocess
import threading

import harness
from harness import command, proxy_to
from testing import Skip, check, contains, equal, test

GOOD = """\
_format_version: "3.0"
services:
- name: app
  url: http://127.0.0.1:9
  routes:
  - name: all
    paths: [/]
"""

BAD = """\
_format_version: "3.0"
services:
- name: app
  url: http://127.0.0.1:9
  retires: 3
  routes:
  - name: all
    paths: ["~/a(b"]
- name: other
  url: ftp://a
"""


def write(t, text, name="kong.yaml"):
    path = t.folder() / name
    path.write_text(text)
    return path


def run_words(t, text, *arguments, env=None, seconds=20):
    """`cardea run` that is expected to refuse: exit code and what it says."""
    path = write(t, text)
    return command("run", path, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", *arguments, loop=t.loop, env=env,
                   seconds=seconds)


@test
def check_of_a_good_document(t):
    finished = command("check", write(t, GOOD))
    equal(finished.returncode, 0, f"exit code; {finished.stdout}{finished.stderr}")
    contains(finished.stdout, "1 services, 1 routes", "output")


@test
def check_names_all_errors_with_their_places(t):
    path = write(t, BAD)
    finished = command("check", path)
    equal(finished.returncode, 1, "exit code")
    out = finished.stdout + finished.stderr
    contains(out, f"{path}:5:3", "place of the unknown key")
    contains(out, "services[0].retires", "path of the unknown key")
    contains(out, "retries", "nearest name")
    contains(out, f"{path}:8:", "line of the bad regex")
    contains(out, "services[0].routes[0].paths[0]", "path of the bad regex")
    contains(out, f"{path}:10:", "line of the bad url")
    contains(out, "3 errors", "count")


@test
def check_json(t):
    path = write(t, BAD)
    finished = command("check", "--json", path)
    equal(finished.returncode, 1, "exit code")
    report = json.loads(finished.stdout)
    equal(report["errors"], 3, "errors")
    unknown = next(one for one in report["problems"] if one["path"] == "services[0].retires")
    equal((unknown["severity"], unknown["file"], unknown["line"], unknown["column"]), ("error", str(path), 5, 3), "a problem")
    good = json.loads(command("check", "--json", write(t, GOOD)).stdout)
    equal((good["errors"], good["problems"]), (0, []), "of a good document")


@test
def check_in_kong_s_form(t):
    out = command("check", "--kong", write(t, '_format_version: "3.0"\nservicez: []\n')).stdout
    contains(out, "in 'servicez': unknown field", "output")


@test
def check_of_a_missing_file(t):
    finished = command("check", t.folder() / "none.yaml")
    equal(finished.returncode, 1, "exit code")
    contains(finished.stderr + finished.stdout, "none.yaml", "output")


@test
def check_of_broken_yaml_and_json(t):
    for name, text, place in (("kong.yaml", '_format_version: "3.0"\nservices: [\n', ":3:"),
                              ("kong.json", '{"_format_version": "3.0", "services": [}', ":1:"),
                              ("tab.yaml", '_format_version: "3.0"\nservices:\n\t- name: a\n', ":3:"),
                              ("binary.yaml", "\x00\x01\x02", ""), ("empty.yaml", "", "")):
        path = write(t, text, name)
        finished = command("check", path)
        equal(finished.returncode, 1, f"exit code of {name}: {finished.stdout}{finished.stderr}")
        contains(finished.stdout + finished.stderr, f"{path}{place}", name)


@test
def json_document(t):
    upstream = t.upstream()
    document = {"_format_version": "3.0", "services": [{"name": "app", "url": upstream.url, "routes": [{"name": "all", "paths": ["/"]}]}]}
    gateway = t.gateway(json.dumps(document))
    equal(t.client(gateway).get("/x").status, 200, "status")


@test
def run_refuses_a_bad_document(t):
    finished = run_words(t, BAD)
    equal(finished.returncode, 1, "exit code")
    contains(finished.stderr, "services[0].retires", "what it says")
    check("listening on" not in finished.stderr, "it listened")


@test
def run_refuses_security_that_it_does_not_serve(t):
    for name, config in (("key-auth", "{}"), ("jwt", "{}"), ("acl", "{allow: [a]}"), ("ip-restriction", "{deny: [1.2.3.4]}"),
                         ("rate-limiting", "{minute: 5}"), ("basic-auth", "{}")):
        text = GOOD + f"plugins:\n- name: {name}\n  config: {config}\n"
        path = write(t, text)
        checked = command("check", path)
        if checked.returncode == 0:  # served by this version
            continue
        contains(checked.stdout + checked.stderr, f"{path}:9:", f"place of {name}")
        finished = run_words(t, text)
        equal(finished.returncode, 1, f"exit code with {name}")
        contains(finished.stderr, name, "what it says")


@test
def run_starts_with_a_warning_for_a_harmless_plugin(t):
    """One that changes nothing about who may do what; it is named, with its place."""
    upstream = t.upstream()
    document = proxy_to(upstream.port) + "plugins:\n- name: datadog\n  config: {}\n"
    gateway = t.gateway(document)
    equal(t.client(gateway).get("/x").status, 200, "status")
    contains(gateway.log(), "datadog", "the log at the start")
    contains(gateway.log(), "warning", "the log at the start")


@test
def tls_verification_is_not_ignored(t):
    """What is served is in test_tls_upstream; what is not keeps the document from starting."""
    service = "url: https://127.0.0.1:9\n  tls_verify: true\n  tls_sans: {dnsnames: [x.example]}"
    finished = run_words(t, GOOD.replace("url: http://127.0.0.1:9", service))
    equal(finished.returncode, 1, f"exit code; {finished.stderr}")


@test
def old_regex_without_tilde_is_read_with_a_warning(t):
    upstream = t.upstream()
    gateway = t.gateway(f"""\
_format_version: "3.0"
services:
- name: app
  url: {upstream.url}
  routes:
  - name: pet
    paths:
    - /api/v1/pets/(?<id>\\d+)
    strip_path: false
""")
    equal(t.client(gateway).get("/api/v1/pets/42").status, 200, "a number")
    equal(t.client(gateway).get("/api/v1/pets/x").status, 404, "no number")
    contains(gateway.log(), "kong.yaml:8:", "the warning names the line")


@test
def several_files_are_merged(t):
    upstream = t.upstream()
    folder = t.folder()
    (folder / "routes.yaml").write_text('_format_version: "3.0"\nroutes: [{name: all, paths: [/x], service: {name: app}}]\n')
    gateway = t.gateway(f'_format_version: "3.0"\nservices: [{{name: app, url: "{upstream.url}"}}]\n', arguments=[folder / "routes.yaml"])
    equal(t.client(gateway).get("/x").status, 200, "status")


@test
def a_folder_is_merged(t):
    upstream = t.upstream()
    folder = t.folder()
    (folder / "a.yaml").write_text(f'_format_version: "3.0"\nservices: [{{name: app, url: "{upstream.url}"}}]\n')
    (folder / "b.json").write_text('{"_format_version": "3.0", "routes": [{"name": "all", "paths": ["/x"], "service": {"name": "app"}}]}')
    (folder / "notes.txt").write_text("no document")
    (folder / ".hidden.yaml").write_text("broken: [")
    gateway = t.gateway(None, document_path=folder)
    equal(t.client(gateway).get("/x").status, 200, "status")


@test
def errors_in_several_files_name_their_file(t):
    folder = t.folder()
    (folder / "a.yaml").write_text(GOOD)
    (folder / "b.yaml").write_text('_format_version: "3.0"\nservices: [{name: app, url: "http://b"}]\n')
    finished = command("check", folder)
    equal(finished.returncode, 1, "exit code: a name twice")
    contains(finished.stdout, f"{folder / 'b.yaml'}:2:", "place")


@test
def values_from_the_environment(t):
    upstream = t.upstream()
    document = ('_format_version: "3.0"\nservices:\n- name: app\n  host: ${{ env "DECK_HOST" }}\n'
                f'  port: {upstream.port}\n  routes: [{{name: all, paths: [/]}}]\n')
    gateway = t.gateway(document, env={"DECK_HOST": "127.0.0.1"})
    equal(t.client(gateway).get("/x").status, 200, "status")
    finished = run_words(t, document)
    equal(finished.returncode, 1, "exit code without the variable")
    contains(finished.stderr, "DECK_HOST", "what it says")


@test
def alias_bomb_is_refused_in_little_time_and_memory(t):
    lines = ["_format_version: \"3.0\"", "_ignore:", "- &a [x, x, x, x, x, x, x, x, x]"]
    for before, after in zip("abcdefghijk", "bcdefghijkl"):
        lines.append(f"- &{after} [" + ", ".join([f"*{before}"] * 9) + "]")
    path = write(t, "\n".join(lines) + "\n")
    finished = subprocess.run([harness.BINARY, "check", str(path)], capture_output=True, text=True, timeout=20, env=harness.environment())
    check(finished.returncode in (0, 1), f"exit code {finished.returncode}: {finished.stderr[-300:]}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    check(peak < 2 << 20, f"{peak} KiB at most")


@test
def deep_nesting_is_refused(t):
    for text in ("_format_version: \"3.0\"\nservices: " + "[" * 100_000, '{"a":' * 100_000):
        finished = command("check", write(t, text))
        equal(finished.returncode, 1, "exit code")
        check(len(finished.stdout + finished.stderr) < 10_000, "a short answer")


@test(seconds=60)
def document_of_a_gigabyte_is_refused_without_reading_it_all(t):
    path = t.folder() / "huge.yaml"
    with open(path, "wb") as file:
        file.truncate(1 << 30)
    finished = command("check", path, seconds=40)
    equal(finished.returncode, 1, "exit code")
    contains(finished.stdout + finished.stderr, "huge.yaml", "what it says")


@test
def document_from_a_pipe(t):
    """`cardea check /dev/stdin`: what a shell writes there."""
    finished = command("check", "/dev/stdin", input_text=GOOD)
    equal(finished.returncode, 0, f"exit code; {finished.stdout}{finished.stderr}")


@test
def unreadable_document(t):
    finished = command("check", t.folder())
    equal(finished.returncode, 1, "exit code of an empty folder")
    contains(finished.stdout + finished.stderr, "no .yaml", "what it says")


@test
def document_without_permission(t):
    """As a user who may not read it: the reason and the name, and nothing is served."""
    if os.geteuid() != 0:
        raise Skip("only root can become another user")
    path = write(t, GOOD)
    path.chmod(0)
    path.parent.chmod(0o755)
    try:
        finished = subprocess.run([harness.BINARY, "check", str(path)], capture_output=True, text=True, timeout=20, user=65534,
                                  env=harness.environment(), cwd="/")
    except PermissionError:
        raise Skip("the program is not readable for others here") from None
    equal(finished.returncode, 1, "exit code")
    contains(finished.stdout + finished.stderr, "kong.yaml", "what it says")
    contains((finished.stdout + finished.stderr).lower(), "permission", "what it says")


@test
def schema_word(t):
    schema = json.loads(command("schema").stdout)
    check("services" in schema["properties"], f"properties: {list(schema['properties'])}")
    route = json.loads(command("schema", "route").stdout)
    check("strip_path" in route["properties"], f"properties: {list(route['properties'])}")
    finished = command("schema", "rout")
    equal(finished.returncode, 1, "exit code of an unknown one")
    contains(finished.stdout + finished.stderr, "route", "the nearest name")


@test
def words_of_the_command_line(t):
    contains(command("version").stdout, "cardea", "version")
    helped = command("--help")
    equal(helped.returncode, 0, "exit code of --help")
    for word in ("run", "check", "reload", "settings", "status", "version"):
        contains(helped.stdout, word, "help")
    for wrong in (["walk"], [], ["run", "--no-such-flag"]):
        finished = command(*wrong)
        check(finished.returncode != 0, f"exit code of {wrong}")
        check(finished.stderr or finished.stdout, f"{wrong}: nothing was said")


@test(seconds=60)
def ten_thousand_routes(t):
    upstream = t.upstream()
    routes = "".join(f"  - {{name: r{i}, paths: [/r{i}/], strip_path: false}}\n" for i in range(10_000))
    gateway = t.gateway(f'_format_version: "3.0"\nservices:\n- name: app\n  url: {upstream.url}\n  routes:\n{routes}')
    client = t.client(gateway)
    for number in (0, 1, 4999, 9999):
        equal(client.get(f"/r{number}/x").status, 200, f"route {number}")
    equal(client.get("/r10000/x").status, 404, "no route")
    equal(gateway.status()["snapshot"]["routes"], 10_000, "routes in the status")


@test
def concurrent_checks(t):
    """`check` is for pipelines: it starts nothing and locks nothing."""
    path = write(t, GOOD)
    codes = []
    threads = [threading.Thread(target=lambda: codes.append(command("check", path).returncode)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(codes, [0] * 4, "exit codes")
