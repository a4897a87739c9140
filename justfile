# What CI runs, by the names that CI gives it. `just` alone lists everything.

_list:
    @just --list

# All that CI checks
check:
    .ci/run

# Every test
test:
    .ci/run test

# Whether the code is formatted (cargo fmt --all formats it)
fmt:
    .ci/run fmt

# The lints, with warnings as errors
clippy:
    .ci/run clippy

# The documentation of the code, with warnings as errors
doc:
    .ci/run doc

# Which crate may know of what, and what the Lambda binary links
boundaries:
    .ci/run boundaries

# Whether the committed spec is what the code says, and apps of the newest released one work on
spec:
    .ci/run spec

# Write the spec that the code says
spec-write:
    .ci/spec --write

# Add the spec to the released ones, unless it breaks the newest of them
spec-release:
    .ci/spec --release

# What other people's tools say of the spec
spec-tools:
    .ci/run spec-tools

# Requests out of the spec, good and bad, against local-dev
schemathesis:
    .ci/run schemathesis

# A client of the spec: just sdk typescript, kotlin, swift or dart; all four without a name
sdk *languages:
    .ci/sdk {{ languages }}

# Whether the clients lack nothing and do what they should, against local-dev
try-sdks:
    .ci/run try-sdks

# Whether docs/costs.md says what each operation takes of the table
costs:
    .ci/costs

# Write what each operation takes of the table
costs-write:
    .ci/costs --write

# Whether the workspace builds and passes its tests with the example deleted
without-example:
    .ci/run without-example

# Licences, advisories, duplicates and sources of all dependencies
deny:
    .ci/deny

# The figures of docs/figures.md
measure *figures:
    .ci/measure {{ figures }}

# The longer suites at full size, or some of them: just long properties fuzz
long *suites:
    .ci/long {{ suites }}

# How fast it starts, how large it is, and whatever the crates measure themselves
bench:
    .ci/measure ready lambda
    cargo bench --workspace --bench '*'

# Fifteen seconds of eight phones against local-dev
load:
    .ci/measure load

# The functions as Lambda takes them: target/lambda/{api,events}/bootstrap.zip
package:
    .ci/package

# Whether CloudFormation and SAM would take the template of the deployment
template:
    .ci/run template
