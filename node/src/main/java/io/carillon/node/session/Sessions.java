package io.carillon.node.session;
/** PLACEHOLDER: registry of this node's sessions. */
public final class Sessions {}
