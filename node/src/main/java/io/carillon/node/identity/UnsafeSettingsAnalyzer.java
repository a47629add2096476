package io.carillon.node.identity;

import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;

/** Prints the sentence of an {@link UnsafeSettingsException} in place of a stack trace. */
@Order(Ordered.HIGHEST_PRECEDENCE)
final class UnsafeSettingsAnalyzer extends AbstractFailureAnalyzer<UnsafeSettingsException> {
    @Override
    protected FailureAnalysis analyze(Throwable rootFailure, UnsafeSettingsException cause) {
        return new FailureAnalysis(cause.getMessage(), null, cause);
    }
}
