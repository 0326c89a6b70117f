// Checks the site in dist/site. Usage: main.mjs [--committed] [--pictures=FOLDER]
//
// --committed also fails where the site was built from files that are not as they are committed; --pictures leaves screenshots of every page.
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { pages } from '../pages.mjs'
import { find, look } from './browser.mjs'
import { broken, stale, unlisted } from './static.mjs'

const site = fileURLToPath(new URL('../../../dist/site', import.meta.url))
const { values: flags } = parseArgs({ options: { committed: { type: 'boolean' }, pictures: { type: 'string' } } })

let wrong = 0
for (const problem of [...stale(site, flags), ...unlisted(site), ...broken(site)]) {
  console.error(problem)
  wrong++
}
const executablePath = find()
if (executablePath) {
  wrong += await look(site, { executablePath, pictures: flags.pictures })
} else {
  console.log('SKIPPED: nobody has LOOKED at the site: there is no Chromium (make chromium, or CHROMIUM=PATH). Links were followed.')
}
console.log(`${pages.length} pages in dist/site: ${wrong === 0 ? 'nothing is wrong' : `${wrong} problems`}`)
process.exit(wrong === 0 ? 0 : 1)
