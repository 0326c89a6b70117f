// What can be told from the files of the site alone: what it was built from, that every link and anchor leads somewhere, and that
// nothing is asked of another host.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { posix } from 'node:path'
import { pages } from '../pages.mjs'
import { sources, uncommitted } from '../sources.mjs'

// Each function returns what is wrong, as sentences.

// stale tells whether the site was built from the files that are there now, and from committed ones alone where that is asked for.
export function stale(site, { committed }) {
  const now = sources()
  const then = built(site).sources
  const wrong = [...new Set([...Object.keys(now), ...Object.keys(then)])]
    .filter((file) => now[file] !== then[file])
    .map((file) => `${file} has changed since the site was built: build it again`)
  return committed ? [...wrong, ...uncommitted().map((line) => `not as it is committed: ${line}`)] : wrong
}

export const built = (site) => JSON.parse(readFileSync(`${site}/sources.json`, 'utf8'))

export const htmlOf = (page) => `${page}.html`

// unlisted tells which pages were built that the navigation does not have, and the other way round.
export function unlisted(site) {
  const have = files(site).filter((file) => file.endsWith('.html') && file !== '404.html')
  const want = pages.map(htmlOf)
  return [
    ...have.filter((file) => !want.includes(file)).map((file) => `${file} is not in the navigation`),
    ...want.filter((file) => !have.includes(file)).map((file) => `${file} is in the navigation, and was not built`),
  ]
}

// broken follows every link, image, script and stylesheet of every page.
export function broken(site) {
  const { base } = built(site)
  const anchors = new Map()
  const anchorsOf = (file) => {
    if (!anchors.has(file)) anchors.set(file, new Set(attributes(readFileSync(`${site}/${file}`, 'utf8'), 'id')))
    return anchors.get(file)
  }
  const wrong = []
  let followed = 0
  for (const file of files(site).filter((name) => name.endsWith('.html') && name !== '404.html')) {
    const html = readFileSync(`${site}/${file}`, 'utf8')
    for (const [tag, name] of [['a', 'href'], ['link', 'href'], ['img', 'src'], ['script', 'src']]) {
      for (const target of ofTags(html, tag, name)) {
        followed++
        const problem = follow(target, file, tag)
        if (problem) wrong.push(`${file}: ${tag} ${target}: ${problem}`)
      }
    }
  }
  if (followed < 100) wrong.push(`only ${followed} links were found: something is wrong with the search for them`)
  return wrong

  function follow(target, from, tag) {
    if (/^data:/.test(target)) return ''
    if (/^[a-z]+:|^\/\//i.test(target)) return tag === 'a' ? '' : 'asks another host'
    const url = new URL(target, `http://site${base}${from}`)
    if (!url.pathname.startsWith(base)) return `is outside of ${base}`
    const path = decodeURIComponent(url.pathname.slice(base.length))
    const file = path === '' || path.endsWith('/') ? `${path}index.html` : path
    if (!existsSync(`${site}/${file}`)) return 'no such file'
    const anchor = decodeURIComponent(url.hash.slice(1))
    return anchor && !anchorsOf(file).has(anchor) ? 'no such anchor' : ''
  }
}

const unescape = (text) => text.replaceAll('&amp;', '&').replaceAll('&quot;', '"').replaceAll('&#39;', "'")

function attributes(html, name) {
  return [...html.matchAll(new RegExp(`<[a-z][^>]*? ${name}="([^"]*)"`, 'g'))].map((match) => unescape(match[1]))
}

function ofTags(html, tag, name) {
  return [...html.matchAll(new RegExp(`<${tag}\\b[^>]*`, 'g'))].flatMap((match) => attributes(match[0], name))
}

function files(site) {
  return readdirSync(site, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => posix.relative(site, posix.join(entry.parentPath ?? entry.path, entry.name)))
    .sort()
}
