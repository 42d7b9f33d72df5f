FROM node:22-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN npm run backend:build

FROM node:22-bookworm-slim
ARG GIT_COMMIT_SHA=
# For backups; of the version of the server. The restore drill starts a server of its own on a copy, which has the locale of
# the image postgres:15; Debian would also make a database for it.
RUN apt-get update \
  && install --directory /etc/postgresql-common/createcluster.d \
  && echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.d/no-main.conf \
  && apt-get install --yes --no-install-recommends postgresql-client-15 postgresql-15 \
  && localedef --inputfile=en_US --charmap=UTF-8 en_US.UTF-8 \
  && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production PORT=8080 GIT_COMMIT_SHA=$GIT_COMMIT_SHA
WORKDIR /app
COPY --from=build /app/.vercel/functions .vercel/functions
COPY --from=build /app/.vercel/output/config.json .vercel/output/config.json
COPY --from=build /app/.vercel/output/static .vercel/output/static
COPY --from=build /app/.vercel/self-hosted .vercel/self-hosted
COPY --from=build /app/lib/self-hosted/start.mjs lib/self-hosted/start.mjs
COPY --from=build /app/drizzle drizzle
# With EMBEDDED_STORES=true the data is here: mount a volume.
RUN install --directory --owner=node --mode=700 .local
USER node
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/api/livez`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "--max-old-space-size=256", "lib/self-hosted/start.mjs"]
