// Counts results of http-cache-tests as its own pages do: a test whose dependency did not pass says nothing, nor does one
// whose setup failed. Called by run.mjs.

const passed = (suites, id, results) => verdict(suites, id, results) === 'pass'

function find (suites, id) {
  for (const suite of suites) {
    const test = suite.tests.find(test => test.id === id)
    if (test !== undefined) return test
  }
  throw new Error(`no test ${id}`)
}

// pass, fail, setup, dependency or untested
export function verdict (suites, id, results) {
  const test = find(suites, id)
  const result = results[id]
  if (result === undefined) return 'untested'
  for (const needed of test.depends_on || []) {
    if (!passed(suites, needed, results)) return 'dependency'
  }
  if (result === true) return 'pass'
  return result[0] === 'Setup' ? 'setup' : 'fail'
}

// { required: { pass: 1, fail: 2, ... }, optimal: ..., check: ... } and the ids of what failed or said nothing
export function summary (suites, results) {
  const counts = { required: {}, optimal: {}, check: {} }
  const lines = []
  for (const suite of suites) {
    for (const test of suite.tests) {
      const kind = test.kind || 'required'
      const said = verdict(suites, test.id, results)
      counts[kind][said] = (counts[kind][said] || 0) + 1
      if (said === 'fail' || said === 'setup') lines.push(`${kind} ${said}: ${test.id}: ${(results[test.id] || [])[1]}`)
    }
  }
  return { counts, lines }
}
