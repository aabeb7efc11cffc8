//! Arguments, configuration, one subcommand. Nothing else.

fn main() -> std::process::ExitCode {
    firstline::cli::main()
}
