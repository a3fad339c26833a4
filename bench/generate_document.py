#!/usr/bin/env python3
"""Writes a Kong document of any size for load and routing measurements.

Routes are mixed: prefixes of several depths, hosts (plain and wildcard), regexes with groups, methods and headers, in
proportions that are fixed, so that two runs with the same numbers give the same document.

    bench/generate_document.py --services 10000 --routes 10 > big.yaml      # 100,000 routes
    bench/generate_document.py --services 100 --routes 1 --plugins 2 --json > small.json
"""
import argparse
import json
import sys

WORDS = ["users", "orders", "pets", "carts", "items", "search", "images", "reviews", "payments", "accounts"]


def route(service, number):
    word = WORDS[(service + number) % len(WORDS)]
    name = f"route-{service}-{number}"
    prefix = f"/api/v{number % 3 + 1}/{word}-{service}"
    kind = number % 10
    if kind == 3:
        return {"name": name, "paths": [f"~{prefix}/(?<id>\\d+)/{word}$"], "methods": ["GET"]}
    if kind == 5:
        return {"name": name, "hosts": [f"{word}-{service}.example.com"], "paths": [f"/{word}/{number}"]}
    if kind == 7:
        return {"name": name, "hosts": [f"*.{word}-{service}.example.org"], "methods": ["GET", "POST"]}
    if kind == 8:
        return {"name": name, "paths": [f"{prefix}/{number}"], "headers": {"x-version": [str(service % 5)]}}
    if kind == 9:
        return {"name": name, "paths": [f"{prefix}/deep/er/path/{number}", f"{prefix}/alias/{number}"], "strip_path": False}
    return {"name": name, "paths": [f"{prefix}/{number}"], "methods": ["GET", "HEAD"] if number % 2 else ["POST"]}


def service(number, routes, plugins, upstream):
    entry = {"name": f"service-{number}", "url": upstream or f"http://backend-{number % 1000}.internal:8080/base",
             "retries": 2, "routes": [route(number, each) for each in range(routes)]}
    if plugins:
        known = [{"name": "correlation-id", "config": {"header_name": "X-Request-ID", "generator": "uuid"}},
                 {"name": "cors", "config": {"origins": ["*"], "max_age": 600}},
                 {"name": "request-transformer", "config": {"add": {"headers": ["X-Gateway:1"]}}},
                 {"name": "prometheus", "config": {"per_consumer": False}}]
        entry["plugins"] = known[:plugins]
    return entry


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--services", type=int, default=100)
    parser.add_argument("--routes", type=int, default=10, help="routes of each service")
    parser.add_argument("--plugins", type=int, default=0, choices=range(5), help="plugins of each service")
    parser.add_argument("--upstream", help="url of every service, instead of made-up hosts")
    parser.add_argument("--json", action="store_true", help="JSON instead of YAML")
    options = parser.parse_args()
    services = (service(each, options.routes, options.plugins, options.upstream) for each in range(options.services))
    out = sys.stdout
    if options.json:
        out.write('{"_format_version": "3.0", "services": [\n')
        for number, entry in enumerate(services):
            out.write((",\n" if number else "") + json.dumps(entry))
        out.write("\n]}\n")
        return
    # Block style for the services and routes, as people and deck write it; the leaves in flow style.
    out.write('_format_version: "3.0"\nservices:\n')
    for entry in services:
        out.write(f"- name: {entry['name']}\n  url: {entry['url']}\n  retries: {entry['retries']}\n  routes:\n")
        for each in entry["routes"]:
            lead = "  - "
            for key, value in each.items():
                out.write(f"{lead}{key}: {value if key == 'name' else json.dumps(value)}\n")
                lead = "    "
        for index, each in enumerate(entry.get("plugins", [])):
            out.write(("  plugins:\n" if index == 0 else "") + f"  - {json.dumps(each)}\n")


if __name__ == "__main__":
    main()
