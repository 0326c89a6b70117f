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

const wrong = [...stale(site, flags), ...unlisted(site), ...broken(site)]
const executablePath = find()
if (executablePath) wrong.push(...(await look(site, { executablePath, pictures: flags.pictures })))

for (const problem of wrong) console.error(problem)
if (!executablePath) {
  console.log('SKIPPED: nobody has LOOKED at the site: there is no Chromium (make chromium, or CHROMIUM=PATH). Links were followed.')
}
console.log(`${pages.length} pages in dist/site: ${wrong.length === 0 ? 'nothing is wrong' : `${wrong.length} problems`}`)
process.exit(wrong.length === 0 ? 0 : 1)
