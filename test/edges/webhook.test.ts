import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { Webhook } from '../../src/edges/webhook.ts';

/** A server that answers as `handle` does; gives its URL. */
async function serve(t: Test, handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

t.test('a document is posted as JSON to the path of the URL', async (t) => {
  const got: string[] = [];
  const url = await serve(t, (request, response) => {
    const { method, url: path, headers } = request;
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      got.push(`${method} ${path} ${headers['content-type']} ${body}`);
      response.writeHead(204).end();
    });
  });
  const hook = new Webhook(`${url}/T0/secret?x=1`, 10_000);
  await hook.post('{"name":"é"}');
  await hook.post('{}');
  t.strictSame(got, ['POST /T0/secret?x=1 application/json {"name":"é"}', 'POST /T0/secret?x=1 application/json {}']);
});

t.test('a failure names host and reason, and never the path; a redirect is one', async (t) => {
  const url = await serve(t, (request, response) => {
    const status = Number(request.url?.slice(1, 4));
    if (status === 0) request.socket.destroy();
    else response.writeHead(status, { location: '/200' }).end('no');
  });
  const refused = async (path: string): Promise<string> => {
    const error = await new Webhook(`${url}${path}`, 10_000).post('{}').catch((thrown: unknown) => thrown);
    t.match(error, { code: 'alert_webhook', retryable: true });
    return (error as Error).message;
  };
  t.match(await refused('/500/secret'), /^the webhook of \[notify\] at 127.0.0.1:[0-9]+ answered with status 500$/);
  t.match(await refused('/302/secret'), /answered with status 302$/);
  t.match(await refused('/000/secret'), /cannot be reached \(ECONNRESET\)$/);
});

t.test('an answer that does not come, or does not end, holds up nothing', async (t) => {
  const url = await serve(t, (request, response) => {
    if (request.url === '/endless') response.writeHead(200).write('x');
  });
  await t.rejects(new Webhook(url, 100).post('{}'), { message: /did not answer within 100 ms$/ });
  await new Webhook(`${url}/endless`, 10_000).post('{}');
  const hook = new Webhook(url, 60_000);
  const post = hook.post('{}');
  setImmediate(() => setImmediate(() => hook.close()));
  await t.rejects(post, { code: 'alert_webhook' });
});
