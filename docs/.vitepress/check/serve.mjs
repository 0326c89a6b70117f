// A server of the site's files and nothing else, on a free port of this machine.
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'

const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
}

export async function serve(site, base) {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://site')
    try {
      if (!pathname.startsWith(base)) throw new Error('outside of the site')
      const path = normalize(`/${decodeURIComponent(pathname.slice(base.length))}`)
      const content = await readFile(join(site, path.endsWith('/') ? `${path}index.html` : path))
      response.writeHead(200, { 'content-type': types[extname(path) || '.html'] ?? 'application/octet-stream' }).end(content)
    } catch {
      response.writeHead(404).end()
    }
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { origin: `http://127.0.0.1:${server.address().port}`, close: () => server.close() }
}
