/** An application of somebody else, with a node inside: its beans have names and types that the node's have, too. */
@NullMarked
package com.example.host;

import org.jspecify.annotations.NullMarked;
