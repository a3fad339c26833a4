// Runs http-cache-tests against a cache: node run.mjs PACKAGE_FOLDER BASE_URL [test id]. Writes the results as JSON.
import path from 'path'
import { createRequire } from 'module'
import { pathToFileURL } from 'url'
import { summary } from './summary.mjs'

const [folder, base, only] = process.argv.slice(2)
const load = file => import(pathToFileURL(path.join(folder, file)).href)
const { runTests, getResults } = await load('client/runner.mjs')
const { default: suites } = await load('tests/index.mjs')
const fetch = createRequire(path.join(folder, 'package.json'))('node-fetch')

const chosen = only === undefined
  ? suites
  : suites.map(suite => ({ ...suite, tests: suite.tests.filter(test => test.id === only).map(test => ({ ...test, dump: true })) }))
await runTests(chosen, fetch, false, base)
const results = getResults()
console.log(JSON.stringify({ ...summary(suites, results), results }))
