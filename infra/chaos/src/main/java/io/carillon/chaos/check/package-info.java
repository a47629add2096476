/**
 * The checker: reads what the actors of a chaos run wrote down and proves or refutes the promises of the cluster, without
 * knowing anything but these records. Pure but for reading files.
 *
 * <p>A record is a JSON object with {@code k} (its kind) and {@code t} (seconds since the run began):
 *
 * <table>
 * <caption>Records</caption>
 * <tr><td>{@code pub.invoke}</td><td>{@code mid ns ch sha durable}, before anything is sent</td></tr>
 * <tr><td>{@code pub.ok}</td><td>{@code mid ns ch}, {@code epoch off} where the answer has them</td></tr>
 * <tr><td>{@code pub.fail}</td><td>{@code mid status}: refused for certain</td></tr>
 * <tr><td>{@code pub.info}</td><td>{@code mid}: nobody knows; neither success nor failure</td></tr>
 * <tr><td>{@code conn.open conn.close}</td><td>{@code cid client user ns}; the close with {@code code by}</td></tr>
 * <tr><td>{@code sub.ok}</td><td>{@code cid client ns ch epoch off recovered}; the first of a channel has
 *     {@code fresh} in place of {@code recovered}</td></tr>
 * <tr><td>{@code resync}</td><td>{@code cid client ns ch epoch off}: the server says continuity is lost</td></tr>
 * <tr><td>{@code msg}</td><td>{@code cid client ns ch epoch off mid sha canary}, when the application gets it;
 *     ephemeral events have no {@code epoch off}</td></tr>
 * <tr><td>{@code dup}</td><td>as {@code msg}, dropped by the client as seen; {@code same} if this connection had brought
 *     it before</td></tr>
 * <tr><td>{@code presence}</td><td>{@code ns via users}</td></tr>
 * <tr><td>{@code fault heal}</td><td>{@code id name}; the fault with {@code loses} where acknowledged events may be
 *     lost</td></tr>
 * <tr><td>{@code revoke}</td><td>{@code ns user}</td></tr>
 * <tr><td>{@code tenant}</td><td>{@code ns canary}</td></tr>
 * <tr><td>{@code head}</td><td>{@code ns ch epoch off}: where a channel stands at the end</td></tr>
 * <tr><td>{@code end}</td><td>publishers are silent and everything had time to arrive</td></tr>
 * <tr><td>{@code drained}</td><td>what is left when every client has gone: {@code sessions online numsub}</td></tr>
 * </table>
 */
@NullMarked
package io.carillon.chaos.check;

import org.jspecify.annotations.NullMarked;
