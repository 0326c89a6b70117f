// What only a browser can tell: no error and no failing request, nothing asked of another host, room enough on a small screen, text that is
// large and clear enough in both colour schemes, a menu and a search that lead to every page.
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { pages, title } from '../pages.mjs'
import { serve } from './serve.mjs'
import { built, htmlOf } from './static.mjs'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

// A page is slow where the machine has much else to do.
const patience = 120_000

// What has to be found on bad/bad.html.
const flaws = ['scrolls sideways', '<p> reaches', 'has text of 9 px', 'light: color-contrast', 'dark: color-contrast', 'missing.png answers 404',
  'asks another host', 'the console says something went wrong', 'a script fails: and nobody caught it']

const large = { width: 1280, height: 900 }
const small = { width: 400, height: 800 }

// Words that people look for, and the page that they should be led to; each page is looked for by its title, too, but for the first, whose
// title is not in its text.
const searches = [
  ['Two commands', 'index'],
  ['pendingDeadline', 'user-guide'],
  ['run-now', 'concepts'],
  ['ChangejobNoLeader', 'runbooks'],
  ...pages.filter((page) => page !== 'index').map((page) => [title(page), page]),
]

// find returns the path of a Chromium on this machine; empty where there is none.
export function find() {
  const names = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome']
  const all = (process.env.PATH ?? '').split(delimiter).flatMap((folder) => names.map((name) => join(folder, name)))
  return process.env.CHROMIUM || all.find((path) => existsSync(path)) || ''
}

// look opens every page, says what is wrong, and returns how much that is. Where pictures is a folder, it leaves screenshots there.
export async function look(site, { executablePath, pictures }) {
  const server = await serve(site, built(site).base)
  const bad = await serve(fileURLToPath(new URL('bad', import.meta.url)), '/')
  const browser = await chromium.launch({
    executablePath,
    timeout: patience,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  })
  try {
    const first = new Visit({ browser, origin: bad.origin, base: '/', pages: ['bad'], quiet: true })
    await first.look()
    const visit = new Visit({ browser, origin: server.origin, base: built(site).base, pages, pictures })
    visit.note(flaws.filter((flaw) => !first.wrong.some((problem) => problem.includes(flaw))).map((flaw) => `does not see "${flaw}"`), 'this check')
    await visit.look()
    await visit.open({ viewport: small }, (tab) => visit.menu(tab))
    await visit.open({ viewport: large }, (tab) => visit.search(tab))
    return visit.wrong.length
  } finally {
    await browser.close()
    server.close()
    bad.close()
  }
}

class Visit {
  constructor(options) {
    Object.assign(this, options, { wrong: [] })
    if (this.pictures) mkdirSync(this.pictures, { recursive: true })
  }

  // look opens every page three times, side by side in a tab each.
  async look() {
    await Promise.all([
      this.in({ viewport: large, colorScheme: 'light' }, (tab, page) => this.audit(tab, `${page}, light`)),
      this.in({ viewport: large, colorScheme: 'dark' }, (tab, page) => this.audit(tab, `${page}, dark`, ['color-contrast', 'link-in-text-block'])),
      this.in({ viewport: small, colorScheme: 'light' }, async (tab, page) => {
        const where = `${page}, ${small.width} px wide`
        this.note(await tab.evaluate(tooWide), where)
        this.note(await tab.evaluate(tooSmall), where)
        await this.audit(tab, where, ['scrollable-region-focusable', 'meta-viewport', 'target-size', 'button-name', 'link-name'])
      }),
    ])
  }

  // note keeps what is wrong, and says it at once: looking at everything takes a while.
  note(problems, where) {
    for (const problem of problems) {
      this.wrong.push(`${where}: ${problem}`)
      if (!this.quiet) console.error(this.wrong.at(-1))
    }
  }

  // open hands over a tab that notes every error and every request that fails or leaves the site.
  async open(options, use) {
    const context = await this.browser.newContext(options)
    context.setDefaultTimeout(patience)
    const tab = await context.newPage()
    const where = () => `${tab.url().slice(this.origin.length)}`
    tab.on('console', (message) => message.type() === 'error' && this.note([`the console says ${message.text()}`], where()))
    tab.on('pageerror', (error) => this.note([`a script fails: ${error.message}`], where()))
    tab.on('requestfailed', (request) => this.note([`${request.url()} fails: ${request.failure()?.errorText}`], where()))
    tab.on('response', (response) => response.status() >= 400 && this.note([`${response.url()} answers ${response.status()}`], where()))
    await context.route(
      (url) => url.origin !== this.origin && url.protocol !== 'data:',
      (route) => {
        this.note([`asks another host: ${route.request().url()}`], where())
        return route.abort()
      },
    )
    await use(tab)
    await context.close()
  }

  // in opens every page in a tab of its own kind.
  async in(options, use) {
    await this.open(options, async (tab) => {
      for (const page of this.pages) {
        await tab.goto(this.origin + this.base + htmlOf(page), { waitUntil: 'networkidle' })
        await use(tab, page)
        if (this.pictures) {
          await tab.screenshot({ path: `${this.pictures}/${page.replaceAll('/', '-')}-${options.viewport.width}-${options.colorScheme}.png` })
        }
      }
    })
  }

  // audit has axe-core judge a page by some of its rules, or all that it has by default, and notes what it calls serious or critical.
  async audit(tab, where, rules) {
    await tab.evaluate(axe)
    const { violations } = await tab.evaluate((o) => window.axe.run(document, o), rules ? { runOnly: { type: 'rule', values: rules } } : {})
    for (const { impact, id, help, nodes } of violations) {
      if (impact !== 'serious' && impact !== 'critical') continue
      const places = nodes.slice(0, 5).map((node) => `${node.target.join(' ')} (${node.any[0]?.message ?? node.html.slice(0, 120)})`)
      this.note([`${id}: ${help}: ${places.join('; ')}${nodes.length > 5 ? `; and ${nodes.length - 5} more` : ''}`], where)
    }
  }

  // menu opens the menu of a small screen, and follows it to the last page.
  async menu(tab) {
    await tab.goto(this.origin + this.base, { waitUntil: 'networkidle' })
    await tab.click('.VPLocalNav .menu')
    const links = tab.locator('.VPSidebar.open a.link')
    await links.first().waitFor()
    const found = await links.evaluateAll((all) => all.map((link) => link.getAttribute('href')))
    for (const page of this.pages) {
      const href = this.base + (page === 'index' ? '' : htmlOf(page))
      if (!found.includes(href)) this.note([`${page} is not in it`], 'the menu')
    }
    await links.last().click()
    await tab.waitForURL(`**/${htmlOf(this.pages.at(-1))}`)
  }

  // search types what people look for, and sees a place on the right page among what is found.
  async search(tab) {
    await tab.goto(this.origin + this.base, { waitUntil: 'networkidle' })
    for (const [words, page] of searches) {
      await tab.click('.VPNavBarSearch button')
      await tab.fill('.VPLocalSearchBox input', words)
      const wanted = tab.locator(`.VPLocalSearchBox .result[href^="${this.base}${page === 'index' ? '' : htmlOf(page)}#"]`).first()
      try {
        await wanted.waitFor({ timeout: patience / 4 })
      } catch {
        this.note([`"${words}" does not find ${page}`], 'the search')
      }
      await tab.keyboard.press('Escape')
    }
  }
}

// tooWide runs in the page. It names what a reader would have to scroll sideways for: what is wider than the screen and not in a box
// of its own that scrolls.
function tooWide() {
  const width = document.documentElement.clientWidth
  const problems = []
  if (document.documentElement.scrollWidth > width) problems.push(`scrolls sideways: ${document.documentElement.scrollWidth} px`)
  const inBox = (element) => {
    for (let box = element.parentElement; box && box !== document.body; box = box.parentElement) {
      if (['auto', 'scroll'].includes(getComputedStyle(box).overflowX)) return true
    }
    return false
  }
  for (const element of document.querySelectorAll('.vp-doc *')) {
    const box = element.getBoundingClientRect()
    if (box.width > 0 && box.right > width + 1 && !inBox(element)) {
      problems.push(`<${element.localName}> reaches ${Math.round(box.right)} px: ${element.textContent.trim().slice(0, 60)}`)
    }
  }
  return problems.slice(0, 5)
}

// tooSmall runs in the page. It names text that is smaller than one reads well on a telephone.
function tooSmall() {
  const problems = new Set()
  const walker = document.createTreeWalker(document.querySelector('.vp-doc'), NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    const { parentElement: element, textContent: text } = walker.currentNode
    if (!text.trim() || element.getClientRects().length === 0) continue
    const least = element.closest('pre, code, .lang') ? 12 : 14
    const size = parseFloat(getComputedStyle(element).fontSize)
    if (size < least) problems.add(`<${element.localName}> has text of ${size} px, such as: ${text.trim().slice(0, 40)}`)
  }
  return [...problems].slice(0, 5)
}
