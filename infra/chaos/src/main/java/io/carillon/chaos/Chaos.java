package io.carillon.chaos;

import io.carillon.chaos.Plan.Profile;
import io.carillon.chaos.check.Checker;
import io.carillon.chaos.check.Records;
import io.carillon.chaos.check.Rules;
import io.carillon.chaos.check.Verdict;
import io.carillon.loadgen.Arguments;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** Entry point: {@code java -jar carillon-chaos-app.jar <command> [--option value]...}; scripts/chaos calls it. */
public final class Chaos {
    private static final String HELP = """
            usage: java -jar carillon-chaos-app.jar <command> [--option value]...

              plan     prints the schedule of --seed, --minutes, --profile
              run      starts a cluster, breaks it by the schedule, records, checks
              storm    starts a cluster and measures how thousands of clients come back
              check    judges the records in --directory

            scripts/chaos starts it with what it needs.
            """;

    private Chaos() {}

    /** Exit codes: 0 clean, 1 a promise was broken, 2 the run proves nothing, 3 it could not be done. */
    public static void main(String[] args) throws IOException, InterruptedException {
        if (args.length == 0 || args[0].startsWith("-")) {
            System.out.print(HELP);
            System.exit(args.length == 0 ? 2 : 0);
        }
        int code;
        try {
            Arguments arguments = Arguments.parse(Arrays.copyOfRange(args, 1, args.length));
            code = switch (args[0]) {
                case "plan" -> {
                    System.out.print(plan(arguments).table());
                    yield 0;
                }
                case "run" -> new Run(arguments).run();
                case "storm" -> new Storm(arguments).run();
                case "check" -> judge(Path.of(arguments.required("directory")), rules(arguments));
                default -> throw new IllegalArgumentException("unknown command " + args[0]);
            };
        } catch (IllegalArgumentException e) {
            System.err.println("chaos: " + e.getMessage());
            code = 2;
        } catch (IllegalStateException | IOException e) {
            System.err.println("chaos: " + e);
            code = 3;
        }
        System.exit(code);
    }

    static Plan plan(Arguments arguments) {
        double minutes = arguments.number("minutes", 10);
        if (!(minutes >= 1 && minutes <= 24 * 60)) {
            throw new IllegalArgumentException("--minutes is 1 to 1440, not " + arguments.text("minutes", ""));
        }
        List<Plan.Fault> only =
                arguments.list("only").stream().map(Chaos::fault).toList();
        return Plan.of(
                arguments.integer("seed", 1),
                minutes,
                Profile.named(arguments.text("profile", "standalone")),
                arguments.integer("node-count", 3),
                only);
    }

    private static Plan.Fault fault(String name) {
        for (Plan.Fault fault : Plan.Fault.values()) if (fault.word().equals(name)) return fault;
        throw new IllegalArgumentException("there is no fault " + name + "; there are "
                + String.join(
                        " ",
                        Arrays.stream(Plan.Fault.values()).map(Plan.Fault::word).toList()));
    }

    static Rules rules(Arguments arguments) {
        Rules full = Rules.FULL;
        return new Rules(
                arguments.integer("acknowledged", (int) full.acknowledged()),
                arguments.integer("deliveries", (int) full.deliveries()),
                full.faults(),
                full.grace(),
                full.presence(),
                full.stable(),
                full.revoked());
    }

    /** Judges and reports; the exit code. */
    static int judge(Path directory, Rules rules) throws IOException {
        Records records = Records.in(directory);
        Verdict verdict = Checker.check(records, rules);
        Summary summary = Summary.of(records);
        String table = summary.table(verdict);
        System.out.print(table);
        Files.writeString(directory.resolve("report.txt"), table);
        Files.writeString(directory.resolve("chaos.svg"), summary.chart());
        for (Verdict.Violation violation : verdict.violations()) System.out.println(violation);
        verdict.counts()
                .forEach((invariant, count) -> System.out.printf(
                        Locale.ROOT, "%s broken %d times (%s)%n", invariant, count, invariant.sentence()));
        for (String reason : verdict.invalid()) System.out.println("INVALID  " + reason);
        System.out.println(
                switch (verdict.exitCode()) {
                    case 0 -> "every promise held";
                    case 1 -> "VIOLATED  a promise was broken";
                    default -> "INVALID  the run proves nothing";
                });
        return verdict.exitCode();
    }
}
