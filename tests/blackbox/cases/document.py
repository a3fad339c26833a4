"""The document that the cases of this folder are asked of."""

DOCUMENT = """
_format_version: "3.0"
services:
- name: pets-service
  url: "{upstream}"
  routes:
  - {{name: list-pets, paths: [/api/v1/pets], strip_path: false}}
  - {{name: get-pet, paths: ['~/api/v1/pets/(?<id>\\d+)$'], strip_path: false}}
- name: echo
  url: "{upstream}/base"
  retries: 2
  connect_timeout: 500
  read_timeout: 300
  write_timeout: 1000
  routes:
  - {{name: plain, paths: [/plain]}}
  - {{name: nostrip, paths: [/nostrip], strip_path: false}}
  - {{name: preserve, paths: [/preserve], preserve_host: true}}
  - {{name: v1, paths: [/v1], path_handling: v1}}
  - {{name: getonly, paths: [/getonly], methods: [GET]}}
  - {{name: httpsonly, paths: [/httpsonly], protocols: [https]}}
  - {{name: httpsredir, paths: [/httpsredir], protocols: [https], https_redirect_status_code: 301}}
  - {{name: hosted, paths: [/hosted], hosts: [api.example.com, "*.wild.example.com"]}}
  - {{name: hdr, paths: [/hdr], headers: {{x-version: ["2", "3"]}}}}
  - {{name: regex, paths: ['~/rx/(?<a>[a-z]+)/(?<b>\\d+)']}}
- name: down
  url: "http://127.0.0.1:{closed}"
  retries: 1
  connect_timeout: 500
  routes: [{{name: down, paths: [/down]}}]
- name: nodns
  url: http://no-such-host.invalid
  retries: 0
  connect_timeout: 2000
  routes: [{{name: nodns, paths: [/nodns]}}]
- name: lb
  host: lb-upstream
  retries: 1
  connect_timeout: 500
  routes: [{{name: lb, paths: [/lb]}}]
- name: lb-empty
  host: lb-empty
  routes: [{{name: lb-empty, paths: [/lb-empty]}}]
- name: disabled
  url: "{upstream}"
  enabled: false
  routes: [{{name: disabled, paths: [/disabled]}}]
routes:
- name: noservice
  paths: [/noservice]
upstreams:
- name: lb-upstream
  targets: [{{target: "127.0.0.1:{closed}", weight: 100}}]
- name: lb-empty
"""
