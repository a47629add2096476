package io.carillon.node.session;
/** PLACEHOLDER. */
public final class Outbox {}
