package io.carillon.node.dialect.line;

import java.util.Set;

/** What dashboards speak: they watch, so there is nothing to send but a heartbeat and a fresh token. */
public final class DashboardDialect extends LineFrames {
    public static final String NAME = "line-dashboard";

    public DashboardDialect() {
        super(Set.of());
    }

    @Override
    public String name() {
        return NAME;
    }
}
