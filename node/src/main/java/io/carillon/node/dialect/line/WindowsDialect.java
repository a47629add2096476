package io.carillon.node.dialect.line;

import java.util.Set;

/** What Windows clients speak: they report accounts, incoming customers and changes. */
public final class WindowsDialect extends LineFrames {
    public static final String NAME = "line-windows";

    public WindowsDialect() {
        super(Set.of("sync_line_accounts", "incoming", "customer_sync", "follow_up_sync", "account_status_change"));
    }

    @Override
    public String name() {
        return NAME;
    }
}
