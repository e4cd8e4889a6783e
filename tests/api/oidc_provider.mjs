// npm's certified OpenID provider on loopback, with people of a file; says where it is on its first line.
import { createServer } from 'node:http'
import { readFileSync } from 'node:fs'

const { Provider } = await import(`${process.env.OIDC_PROVIDER}/lib/index.js`)
const people = () => JSON.parse(readFileSync(process.env.PEOPLE, 'utf8'))
const server = createServer()
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`
  const provider = new Provider(issuer, {
    clients: [{
      client_id: process.env.CLIENT_ID,
      client_secret: process.env.CLIENT_SECRET,
      redirect_uris: [process.env.CALLBACK],
      grant_types: ['authorization_code'],
      response_types: ['code'],
    }],
    pkce: { required: () => true },
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    findAccount: (_, id) => people()[id] && { accountId: id, claims: () => ({ sub: id, ...people()[id] }) },
  })
  server.on('request', provider.callback())
  console.log(issuer)
})
