package io.carillon.loadgen;

/** {@code report}: a directory of measurements becomes one file of results, a table and plots. */
final class Report {

    private Report() {}

    static void run(Arguments arguments) {
        throw new IllegalStateException("not yet: " + arguments.required("dir"));
    }
}
