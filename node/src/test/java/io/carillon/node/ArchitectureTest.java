package io.carillon.node;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The arrows between the rooms of the house. An arrow that is not listed fails the build, as does an unlisted room. */
class ArchitectureTest {
    private static final String NODE = "io.carillon.node";
    private static final String MODEL = "io.carillon.model";

    /** Which rooms each room may use, besides itself and the shared model. */
    private static final Map<String, Set<String>> ARROWS = Map.ofEntries(
            Map.entry("identity", Set.of()),
            Map.entry("session", Set.of("identity")),
            Map.entry("dialect", Set.of()),
            Map.entry("backplane", Set.of()),
            Map.entry("channel", Set.of("backplane")),
            Map.entry("presence", Set.of("backplane")),
            Map.entry("dispatch", Set.of("session", "identity", "dialect", "channel", "backplane", "presence")),
            Map.entry("app", Set.of("dispatch", "session", "identity", "dialect", "backplane", "presence")),
            Map.entry("ingress", Set.of("dispatch", "backplane", "presence", "dialect", "session")),
            Map.entry("edge", Set.of("session", "identity")),
            Map.entry("api", Set.of("app", "dispatch", "presence", "identity", "session", "backplane", "dialect")),
            Map.entry(
                    "ops",
                    Set.of(
                            "api",
                            "app",
                            "edge",
                            "ingress",
                            "dispatch",
                            "channel",
                            "presence",
                            "backplane",
                            "dialect",
                            "session",
                            "identity")));

    private static JavaClasses production;

    @BeforeAll
    static void read() {
        production = new ClassFileImporter()
                .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
                .importPackages(NODE, MODEL);
        assertThat(production).isNotEmpty();
    }

    static Stream<String> rooms() {
        return ARROWS.keySet().stream().sorted();
    }

    @ParameterizedTest
    @MethodSource("rooms")
    void roomUsesOnlyTheRoomsItsArrowsLeadTo(String room) {
        String[] allowed = Stream.concat(
                        Stream.of(NODE + "." + room + ".."),
                        ARROWS.get(room).stream().map(other -> NODE + "." + other + ".."))
                .toArray(String[]::new);
        DescribedPredicate<JavaClass> forbidden = resideInAPackage(NODE + "..")
                .and(DescribedPredicate.not(resideInAnyPackage(allowed)))
                .as("rooms its arrows do not lead to (allowed: %s)", Arrays.toString(allowed));
        noClasses()
                .that()
                .resideInAPackage(NODE + "." + room + "..")
                .should()
                .dependOnClassesThat(forbidden)
                .allowEmptyShould(true)
                .check(production);
    }

    @Test
    void everyPackageIsAListedRoom() {
        String[] rooms = Stream.concat(Stream.of(NODE), ARROWS.keySet().stream().map(room -> NODE + "." + room + ".."))
                .toArray(String[]::new);
        classes()
                .that()
                .resideInAPackage(NODE + "..")
                .should()
                .resideInAnyPackage(rooms)
                .check(production);
    }

    @Test
    void noRoomUsesOperations() {
        noClasses()
                .that()
                .resideInAPackage(NODE + ".*..")
                .and()
                .resideOutsideOfPackage(NODE + ".ops..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage(NODE + ".ops..")
                .check(production);
    }

    @Test
    void roomsHaveNoCycles() {
        slices().matching(NODE + ".(*)..").should().beFreeOfCycles().check(production);
    }

    @Test
    void theSharedModelKnowsNoNode() {
        noClasses()
                .that()
                .resideInAPackage(MODEL + "..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(NODE + "..", "io.netty..")
                .check(production);
    }

    @Test
    void onlyThePublisherOfTheSharedModelSeesSpring() {
        noClasses()
                .that()
                .resideInAPackage(MODEL + "..")
                .and()
                .resideOutsideOfPackage(MODEL + ".publish..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("org.springframework..", "io.lettuce..", MODEL + ".publish..")
                .check(production);
    }

    @Test
    void onlyRoomsNextToRedisSeeItsClients() {
        noClasses()
                .that()
                .resideInAPackage(NODE + ".*..")
                .and()
                .resideOutsideOfPackages(
                        NODE + ".backplane..",
                        NODE + ".presence..",
                        NODE + ".identity..",
                        NODE + ".api..",
                        NODE + ".ops..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("io.lettuce..", "org.springframework.data..")
                .check(production);
    }

    @Test
    void onlyTheEdgeSeesHttpOfNetty() {
        noClasses()
                .that()
                .resideInAPackage(NODE + ".*..")
                .and()
                .resideOutsideOfPackage(NODE + ".edge..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("io.netty.handler.codec..", "reactor.netty..")
                .check(production);
    }

    @Test
    void timeIsInjectedAndNothingSleeps() {
        noClasses()
                .should()
                .callMethod(Thread.class, "sleep", long.class)
                .orShould()
                .callMethod(java.time.Instant.class, "now")
                .orShould()
                .callMethod(System.class, "currentTimeMillis")
                .orShould()
                .callConstructor(java.util.concurrent.LinkedBlockingQueue.class)
                .check(production);
    }
}
