/**
 * What Carillon keeps in Redis: the names of keys and topics, and the Lua scripts that change them atomically.
 *
 * <p>In: namespaces, channels and ids. Out: names and script sources. Pure: no connection is opened here.
 */
@NullMarked
package io.carillon.model.redis;

import org.jspecify.annotations.NullMarked;
