/** Limits and sign-of-life settings of every gRPC connection, the same on both ends: https://grpc.github.io/grpc/core/group__grpc__arg__keys.html */
import type { ChannelOptions } from "@grpc/grpc-js";

/** Bytes of one message at most. A vertex report carries a segment directory: some MB for a state of many GB. */
const MESSAGE_LIMIT_BYTES = 64 << 20;
const KEEPALIVE_MS = 10_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;
/** Reconnecting is the caller's business; grpc-js' own backoff only has to stay out of the way. */
const RECONNECT_MS = 200;

/** For servers and clients. */
export const CHANNEL_OPTIONS: ChannelOptions = {
  "grpc.max_receive_message_length": MESSAGE_LIMIT_BYTES,
  "grpc.max_send_message_length": MESSAGE_LIMIT_BYTES,
  "grpc.keepalive_time_ms": KEEPALIVE_MS,
  "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc.initial_reconnect_backoff_ms": RECONNECT_MS,
  "grpc.max_reconnect_backoff_ms": RECONNECT_MS * 5,
  // Channels of this process to one address are not shared: closing one must not disturb another.
  "grpc.use_local_subchannel_pool": 1,
  "grpc.enable_http_proxy": 0,
};
