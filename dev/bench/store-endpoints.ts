/** Where the two stores answer over HTTP, in the protocols of Neon and Upstash. */
export interface StoreEndpoints {
  postgres: { connectionString: string; endpoint: string };
  redis: { url: string; token: string };
}
