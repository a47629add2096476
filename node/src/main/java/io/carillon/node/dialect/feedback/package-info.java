/**
 * The dialect of feedback desks, where users, merchants and admins talk: {@code event}, {@code sender},
 * {@code receiver}, {@code data}.
 */
@NullMarked
package io.carillon.node.dialect.feedback;

import org.jspecify.annotations.NullMarked;
