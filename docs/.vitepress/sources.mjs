// What the site is built from: every file below docs/ that git does not ignore, and what it contains. The build writes it down, so
// that the check can tell whether a site is that of the files as they are.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { docs } from './pages.mjs'

const git = (...args) => execFileSync('git', ['-C', docs, ...args], { encoding: 'utf8' }).split('\0').filter(Boolean)

export function sources() {
  const files = git('ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate', '.')
  return Object.fromEntries(files.sort().map((file) => [file, digest(file)]))
}

function digest(file) {
  try {
    return createHash('sha256').update(readFileSync(docs + file)).digest('hex')
  } catch (error) {
    if (error.code === 'ENOENT') return 'deleted'
    throw error
  }
}

// uncommitted are the files below docs/ that are not as the last commit has them.
export function uncommitted() {
  return git('status', '--porcelain', '-z', '--untracked-files=all', '--', '.')
}
