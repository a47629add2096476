package io.carillon.node.testing;

import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Puts every other node of the tests of one class inside an application of somebody else. */
public final class Embedded implements BeforeAllCallback, AfterAllCallback {
    static volatile boolean everyOther;

    @Override
    public void beforeAll(ExtensionContext context) {
        everyOther = true;
    }

    @Override
    public void afterAll(ExtensionContext context) {
        everyOther = false;
    }
}
