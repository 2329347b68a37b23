# Builds Caddy with this plugin from a checkout. Add other plugins with further lines `--with`.
FROM caddy:2.11.9-builder-alpine AS builder
COPY . /src
RUN xcaddy build v2.11.9 --with github.com/excorp/caddy-require-auth=/src --output /usr/bin/caddy

FROM caddy:2.11.9-alpine
COPY --from=builder /usr/bin/caddy /usr/bin/caddy
