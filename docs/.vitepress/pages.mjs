// Which pages the site has, and in which order. navigation.json says it; the titles are those of the pages themselves.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const docs = fileURLToPath(new URL('..', import.meta.url))
export const repository = 'https://github.com/nusnewob/kube-changejob'

const groups = JSON.parse(readFileSync(new URL('navigation.json', import.meta.url), 'utf8'))

export const pages = groups.flatMap((group) => group.pages)

export const title = (page) => /^title: (.*)$/m.exec(readFileSync(`${docs}${page}.md`, 'utf8'))[1]

const link = (page) => (page === 'index' ? '/' : `/${page}`)

export const sidebar = groups.map((group) => ({
  text: group.text,
  items: group.pages.map((page) => ({ text: title(page), link: link(page) })),
}))

// The bar at the top leads to the first page of each group that people come for.
export const bar = groups
  .filter((group) => group.text !== 'Project')
  .map((group) => ({ text: group.text, link: link(group.pages.find((page) => page !== 'index')), activeMatch: match(group.pages) }))

function match(names) {
  return `^/(${names.filter((page) => page !== 'index').join('|')})(\\.html)?$`
}

// slug is the anchor that GitHub gives to a heading, so that one link works there and on the site.
export function slug(text) {
  return text
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}_\- ]/gu, '')
    .replaceAll(' ', '-')
}

// outside turns a link to a file outside of docs/ into one to the repository; others stay what they are.
export function outside(href, page) {
  if (/^[a-z]+:|^[#/]/i.test(href)) return href
  const target = new URL(href, `file:///docs/${page}`).pathname
  return target.startsWith('/docs/') ? href : `${repository}/blob/main${target}`
}
