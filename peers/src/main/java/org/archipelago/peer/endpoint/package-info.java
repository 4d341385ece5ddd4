/**
 * The NBD endpoint: volumes for any client of the NBD protocol, over Unix sockets.
 *
 * <pre>
 *   client ==socket==> Connection -> Negotiation            the handshake
 *                          |
 *                          +-------> Receiver -> Operation -> Piece ==request==> composer
 *                          |                        |           |
 *   client &lt;==socket== ReplyQueue &lt;-----------------+-----------+  &lt;==answer==
 *
 *   NbdEndpoint   what the daemon calls, from any thread
 *   Station       one for each reactor: buffers, requests, who has something to do
 *   Export        one for each volume: its socket and its connections
 * </pre>
 *
 * A client's request is an {@code Operation}; it goes to the composer as pieces of at most 256 KiB, each
 * with a buffer of its own in the segment. The data of a WRITE is received into that buffer and the
 * data of a READ is sent out of it. Everything but {@code NbdEndpoint} and {@code UnixListener} is
 * for the reactor's thread alone, and nothing on the way of a request allocates.
 */
package org.archipelago.peer.endpoint;
