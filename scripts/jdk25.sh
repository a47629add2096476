# shellcheck shell=sh
# Sourced by mvnw and scripts/lib.sh.

# Prints the home of a JDK 25 of this machine; prints nothing where there is none.
jdk25() {
    for home in "${JAVA_HOME:-}" "${JDK_25:-}" /usr/lib/jvm/* /opt/java/* /opt/jdk* "${HOME:-}"/.sdkman/candidates/java/* "${HOME:-}"/.jdks/*; do
        if [ -n "$home" ] && [ -x "$home/bin/javac" ] && grep -qs '^JAVA_VERSION="25' "$home/release"; then
            echo "$home"
            return
        fi
    done
}
