// The site made of docs/. `make docs` builds it into dist/site, and looks at it in a browser.
//
// Whoever opens it asks no other host for anything: fonts are those of the reader's system, the search's index is part of the site.
import { copyFileSync, writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import { defineConfig } from 'vitepress'
import { bar, docs, outside, repository, sidebar, slug } from './pages.mjs'
import { sources } from './sources.mjs'

// Where the site stands on its host, such as /kube-changejob/.
const base = process.env.DOCS_BASE || '/'

export default defineConfig({
  title: 'kube-changejob',
  description: 'Runs a Job when watched objects have changed',
  lang: 'en',
  base,
  outDir: '../dist/site',
  head: [['link', { rel: 'icon', type: 'image/svg+xml', href: `${base}icon.svg` }]],
  markdown: {
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    anchor: { slugify: slug },
    config(markdown) {
      markdown.core.ruler.push('outside', linksLeaveTheSite)
      markdown.core.ruler.push('wide', picturesScroll)
      // A wide table scrolls in a box of its own, also by keyboard; it stays a table for those who hear it.
      markdown.renderer.rules.table_open = () => '<div class="wide" role="group" aria-label="Table" tabindex="0"><table>'
      markdown.renderer.rules.table_close = () => '</table></div>'
    },
  },
  themeConfig: {
    nav: [...bar, { text: 'GitHub', link: repository }],
    sidebar,
    outline: { level: [2, 3] },
    search: { provider: 'local', options: { detailedView: true } },
    editLink: { pattern: `${repository}/edit/main/docs/:path`, text: 'Edit this page' },
  },
  vite: { plugins: [{ name: 'vue-is-here', enforce: 'pre', resolveId: vueIsHere }] },
  buildEnd({ outDir }) {
    copyFileSync(`${docs}../config/manifests/icon.svg`, `${outDir}/icon.svg`)
    writeFileSync(`${outDir}/sources.json`, JSON.stringify({ base, sources: sources() }, null, 1))
  },
})

function linksLeaveTheSite(state) {
  const page = relative(docs, state.env.path ?? '')
  for (const block of state.tokens) {
    for (const token of block.children ?? []) {
      const href = token.type === 'link_open' && token.attrGet('href')
      if (href) token.attrSet('href', outside(href, page))
    }
  }
}

// A picture with a paragraph of its own scrolls in that.
function picturesScroll({ tokens }) {
  tokens.forEach((token, i) => {
    if (token.type === 'inline' && token.children.length === 1 && token.children[0].type === 'image') {
      const box = { class: 'wide', role: 'group', 'aria-label': 'Picture', tabindex: '0' }
      for (const [name, value] of Object.entries(box)) tokens[i - 1].attrSet(name, value)
    }
  })
}

// The packages are in this folder, where Go's tools do not look, and not above the pages: those find Vue by its name when they are rendered.
function vueIsHere(id, importer, { ssr }) {
  return ssr && /^vue(\/server-renderer)?$/.test(id) ? { id, external: true } : undefined
}
