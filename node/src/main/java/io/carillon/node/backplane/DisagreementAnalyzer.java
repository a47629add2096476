package io.carillon.node.backplane;

import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;

/** Prints the sentence of a {@link Disagreement} in place of a stack trace. */
final class DisagreementAnalyzer extends AbstractFailureAnalyzer<Disagreement> {
    @Override
    protected FailureAnalysis analyze(Throwable rootFailure, Disagreement cause) {
        return new FailureAnalysis(cause.getMessage(), null, cause);
    }
}
