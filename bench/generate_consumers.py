#!/usr/bin/env python3
"""Writes a Kong document with many consumers, each with an API key, for measurements of key-auth.

The keys are made from the numbers, so that a load tool can make them again: key(NUMBER) is the first 32 letters of the
SHA-256 of `key-NUMBER`.

    bench/generate_consumers.py --consumers 1000000 --upstream http://127.0.0.1:9001 > million.yaml
    bench/generate_consumers.py --consumers 1000 --groups 3 > with-groups.yaml
"""
import argparse
import hashlib
import sys


def key(number):
    return hashlib.sha256(f"key-{number}".encode()).hexdigest()[:32]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--consumers", type=int, default=1000)
    parser.add_argument("--groups", type=int, default=0, help="acl groups of each")
    parser.add_argument("--upstream", default="http://127.0.0.1:9001")
    options = parser.parse_args()
    acl = ", {name: acl, config: {deny: [nobody]}}" if options.groups else ""
    out = sys.stdout
    out.write(f'_format_version: "3.0"\nservices:\n- name: app\n  url: {options.upstream}\n  routes:\n'
              f"  - {{name: all, paths: [/]}}\n  plugins: [{{name: key-auth}}{acl}]\nconsumers:\n")
    for number in range(options.consumers):
        groups = ", ".join(f"{{group: group-{(number + each) % 50}}}" for each in range(options.groups))
        acls = f", acls: [{groups}]" if groups else ""
        out.write(f"- {{username: user-{number}, keyauth_credentials: [{{key: '{key(number)}'}}]{acls}}}\n")


if __name__ == "__main__":
    main()
