// What the checks of static.mjs are for: each finds what it should in a site that has it, and nothing in one that has not.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { outside, pages, slug } from '../pages.mjs'
import { sources } from '../sources.mjs'
import { broken, htmlOf, stale, unlisted } from './static.mjs'

function site(t, { files = {}, base = '/', built = sources() }) {
  const folder = mkdtempSync(join(tmpdir(), 'site-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const filler = Array.from({ length: 100 }, () => '<a href="#top">top</a>').join('')
  const whole = Object.fromEntries(pages.map((page) => [htmlOf(page), `<h1 id="top">${page}</h1>${filler}`]))
  for (const [name, content] of Object.entries({ ...whole, 'sources.json': JSON.stringify({ base, sources: built }), ...files })) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    if (content !== null) writeFileSync(join(folder, name), content)
    else rmSync(join(folder, name), { force: true })
  }
  return folder
}

test('a site of the files as they are', (t) => {
  const folder = site(t, {})
  assert.deepEqual([...stale(folder, {}), ...unlisted(folder), ...broken(folder)], [])
})

test('a page has changed since, one is new, one is gone', (t) => {
  const { 'index.md': first, ...others } = sources()
  assert.ok(first)
  assert.match(stale(site(t, { built: { ...others, 'index.md': 'old' } }), {}).join(), /^index\.md has changed/)
  assert.match(stale(site(t, { built: others }), {}).join(), /^index\.md has changed/)
  assert.match(stale(site(t, { built: { ...sources(), 'gone.md': 'old' } }), {}).join(), /^gone\.md has changed/)
})

test('a page that the navigation does not have, and one that was not built', (t) => {
  assert.deepEqual(unlisted(site(t, { files: { 'draft.html': '' } })), ['draft.html is not in the navigation'])
  assert.deepEqual(unlisted(site(t, { files: { 'index.html': null } })), ['index.html is in the navigation, and was not built'])
})

const links = {
  '<a href="/nowhere.html">x</a>': 'no such file',
  '<a href="nowhere">x</a>': 'no such file',
  '<a class="y" href="concepts.html#nowhere">x</a>': 'no such anchor',
  '<a href="#nowhere">x</a>': 'no such anchor',
  '<img src="/nowhere.png">': 'no such file',
  '<script src="https://example.com/x.js"></script>': 'asks another host',
  '<link rel="stylesheet" href="//example.com/x.css">': 'asks another host',
  '<a href="https://example.com/">x</a>': '',
  '<a href="concepts.html#top">x</a>': '',
  '<a href="./">x</a>': '',
  '<img src="data:image/svg+xml,x">': '',
}
for (const [html, want] of Object.entries(links)) {
  test(`the link ${html}`, (t) => {
    const found = broken(site(t, { files: { 'index.html': `<p id="top">${html}</p>` } }))
    assert.equal(found.length, want ? 1 : 0, found.join())
    if (want) assert.ok(found[0].endsWith(want), found[0])
  })
}

test('a site below a folder of its host', (t) => {
  const ok = { 'index.html': '<p id="top"><a href="/docs/concepts.html#top">x</a></p>' }
  assert.deepEqual(broken(site(t, { base: '/docs/', files: ok })), [])
  const not = { 'index.html': '<p id="top"><a href="/concepts.html">x</a></p>' }
  assert.match(broken(site(t, { base: '/docs/', files: not })).join(), /is outside of \/docs\//)
})

test('anchors are those of GitHub', () => {
  const anchors = {
    'What counts as a change': 'what-counts-as-a-change',
    'condition: All does not trigger': 'condition-all-does-not-trigger',
    'Moving over from 0.1': 'moving-over-from-01',
    'spec.resources[] (list)': 'specresources-list',
    'changejob_triggers_total': 'changejob_triggers_total',
    'A – B': 'a--b',
  }
  for (const [heading, anchor] of Object.entries(anchors)) assert.equal(slug(heading), anchor)
})

test('links that leave docs/ lead to the repository', () => {
  const github = 'https://github.com/nusnewob/kube-changejob/blob/main'
  assert.equal(outside('../SECURITY.md', 'index.md'), `${github}/SECURITY.md`)
  assert.equal(outside('../../config/x.yaml', 'migration/knative.md'), `${github}/config/x.yaml`)
  for (const href of ['concepts.md', 'concepts.md#loops', '#loops', 'https://example.com', 'mailto:a@example.com']) {
    assert.equal(outside(href, 'index.md'), href)
  }
  assert.equal(outside('../concepts.md', 'migration/knative.md'), '../concepts.md')
})
