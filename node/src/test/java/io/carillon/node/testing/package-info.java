/** What tests of several rooms share: servers, nodes and clients, all real. */
@NullMarked
package io.carillon.node.testing;

import org.jspecify.annotations.NullMarked;
