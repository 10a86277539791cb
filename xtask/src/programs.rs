//! `cargo xtask programs`: images of programs that people really run, from Debian's packages, without a shell.
//!
//! Each image has the program, the libraries it is linked with, and the few files it can not do without. Where
//! packages can not be downloaded there are no images, and the tests that want them say so.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use serde_json::json;

use crate::arch::Arch;
use crate::archive::{self, Contents, File};
use crate::{Result, command, packages, targets, tree};

/// The unprivileged user of these programs.
const USER: u32 = 999;

/// Who runs initdb here: it refuses root, and it insists on a user with a name.
const NOBODY: u32 = 65534;

/// A program and how it becomes an image.
struct Program {
    name: &'static str,
    /// Debian's packages to take it from, beside the libraries that they need.
    packages: fn() -> Result<Vec<String>>,
    contents: fn(&Unpacked) -> Result<Packed>,
}

/// What goes into an image.
struct Packed {
    files: Vec<File<'static>>,
    user: &'static str,
    entrypoint: Vec<String>,
}

const PROGRAMS: [Program; 3] = [
    Program {
        name: "redis",
        packages: || Ok(vec!["redis-server".into(), "redis-tools".into()]),
        contents: redis,
    },
    Program { name: "nginx", packages: || Ok(vec!["nginx".into()]), contents: nginx },
    Program { name: "postgres", packages: postgres_packages, contents: postgres },
];

/// Downloads, unpacks and packs the programs whose images are not there yet.
pub(crate) fn programs(workspace: &Path) -> Result {
    if !packages::can_download() {
        println!("no images of real programs: their packages come from Debian or a relative of it");
        return Ok(());
    }
    for program in &PROGRAMS {
        let archive = archive(workspace, program.name);
        if archive.exists() {
            println!("{}: {} is there", program.name, archive.display());
            continue;
        }
        let unpacked = Unpacked::new(workspace, program)?;
        let Packed { files, user, entrypoint } = (program.contents)(&unpacked)?;
        let entrypoint: Vec<_> = entrypoint.iter().map(String::as_str).collect();
        let image = archive::pack(&Contents {
            arch: Arch::host(),
            tag: &format!("dbgctl-test/{}:latest", program.name),
            files: &files,
            entrypoint: &entrypoint,
            user,
            labels: json!({}),
            compression: Compression::fast(),
        })?;
        tree::write_if_changed(&archive, &image.archive)?;
        println!("{}: {} bytes  {}", program.name, image.archive.len(), archive.display());
    }
    Ok(())
}

fn archive(workspace: &Path, name: &str) -> PathBuf {
    targets::directory(workspace).join(format!("{name}-{}.tar.gz", Arch::host().docker()))
}

fn redis(unpacked: &Unpacked) -> Result<Packed> {
    let mut files = unpacked.program("usr/bin/redis-check-rdb", "redis-server")?;
    files.push(directory("data/", USER));
    let arguments = ["/redis-server", "--dir", "/data", "--protected-mode", "no"];
    Ok(Packed { files, user: "999:999", entrypoint: arguments.map(str::to_owned).to_vec() })
}

/// A master of root, and workers that drop to another user without an exec.
const NGINX_CONF: &str = "\
daemon off; user www-data www-data; worker_processes 2; pid /run/nginx.pid; error_log stderr;
events { worker_connections 64; }
http { access_log off; server { listen 8080; location / { return 200 'here'; } } }
";

fn nginx(unpacked: &Unpacked) -> Result<Packed> {
    let mut files = unpacked.program("usr/sbin/nginx", "nginx")?;
    files.push(File::new("etc/nginx.conf", 0o444, NGINX_CONF.as_bytes()));
    files.push(File::new("etc/passwd", 0o444, b"root:x:0:0::/:\nwww-data:x:33:33::/:\n"));
    files.push(File::new("etc/group", 0o444, b"root:x:0:\nwww-data:x:33:\n"));
    files.extend(["run/", "var/lib/nginx/", "var/log/nginx/"].map(|path| directory(path, 0)));
    let arguments = ["/nginx", "-c", "/etc/nginx.conf", "-e", "stderr"];
    Ok(Packed { files, user: "", entrypoint: arguments.map(str::to_owned).to_vec() })
}

/// The package that `postgresql` stands for in this release.
fn postgres_packages() -> Result<Vec<String>> {
    let depends = command::output(Command::new("apt-cache").args(["depends", "postgresql"]))?;
    let version = depends.lines().find_map(|line| line.trim().strip_prefix("Depends: postgresql-"));
    let version = version.filter(|version| version.bytes().all(|byte| byte.is_ascii_digit()));
    Ok(vec![format!("postgresql-{}", version.ok_or("no version of postgresql is packaged")?)])
}

fn postgres(unpacked: &Unpacked) -> Result<Packed> {
    let versions = fs::read_dir(unpacked.tree.join("usr/lib/postgresql"))?;
    let version = versions.flatten().next().ok_or("no PostgreSQL in its package")?.file_name();
    let version = version.to_string_lossy();
    let (lib, share) = (format!("usr/lib/postgresql/{version}"), format!("usr/share/postgresql/{version}"));
    let mut files = unpacked.program(&format!("{lib}/bin/postgres"), &format!("{lib}/bin/postgres"))?;
    let is_needed =
        |path: &str| !path.contains("/bitcode/") && !path.contains("llvmjit") && !path.contains("/man/");
    files.extend(unpacked.below(&format!("{lib}/lib"), &is_needed)?);
    files.extend(unpacked.below(&share, &is_needed)?);
    files.extend(initial_cluster(&unpacked.tree.join(&lib), &unpacked.library_path())?);
    files.push(directory("tmp/", USER));
    files.push(File::new("etc/passwd", 0o444, b"postgres:x:999:999::/:\n"));
    let program = format!("/{lib}/bin/postgres");
    let arguments = [&program, "-D", "/data", "-k", "/tmp", "-c", "jit=off"];
    Ok(Packed { files, user: "999:999", entrypoint: arguments.map(str::to_owned).to_vec() })
}

/// What initdb makes: it needs a shell, which the image does not have.
fn initial_cluster(lib: &Path, library_path: &str) -> Result<Vec<File<'static>>> {
    let data = std::env::temp_dir().join(format!("dbgctl-postgres-{}", std::process::id()));
    let made = command::output(
        Command::new(lib.join("bin/initdb"))
            .args(["--username=postgres", "--auth=trust", "--no-sync", "--locale=C", "--encoding=UTF8", "-D"])
            .arg(&data)
            .env("LD_LIBRARY_PATH", library_path)
            // The one time zone that needs no file.
            .env("TZ", "GMT")
            .uid(NOBODY)
            .gid(NOBODY),
    );
    let files = made.and_then(|_| owned(below(&data, &|_| true)?, &data));
    let _removed = fs::remove_dir_all(&data);
    files
}

fn owned(files: Vec<(PathBuf, u32)>, data: &Path) -> Result<Vec<File<'static>>> {
    let mut owned = vec![File { mode: 0o700, ..directory("data/", USER) }];
    for (path, mode) in files {
        let inside = path.strip_prefix(data)?.display().to_string();
        let file = if path.is_dir() {
            File { mode, ..directory(&format!("data/{inside}/"), USER) }
        } else {
            File { owner: USER.into(), ..File::new(format!("data/{inside}"), mode, fs::read(&path)?) }
        };
        owned.push(file);
    }
    Ok(owned)
}

fn directory(path: &str, owner: u32) -> File<'static> {
    File { owner: owner.into(), ..File::new(path.to_owned(), 0o755, Vec::new()) }
}

/// The packages of a program, unpacked side by side.
struct Unpacked {
    tree: PathBuf,
}

impl Unpacked {
    fn new(workspace: &Path, program: &Program) -> Result<Self> {
        let directory = workspace.join("target/programs").join(program.name);
        let tree = directory.join("tree");
        fs::create_dir_all(&tree)?;
        // initdb runs as another user.
        for path in [&directory, &tree] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
        }
        let names = (program.packages)()?;
        for file in packages::download(&names, &directory)? {
            command::run(Command::new("dpkg-deb").arg("-x").args([&file, &tree]))?;
        }
        Ok(Self { tree })
    }

    /// Where the libraries of the packages lie, for the dynamic linker.
    fn library_path(&self) -> String {
        let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
        let directories =
            ["usr/lib", "lib"].map(|lib| self.tree.join(lib).join(&triplet).display().to_string());
        directories.join(":")
    }

    /// The program at `path` as `name`, with the dynamic linker and the libraries it is linked with.
    fn program(&self, path: &str, name: &str) -> Result<Vec<File<'static>>> {
        let path = self.tree.join(path);
        let linked =
            command::output(Command::new("ldd").arg(&path).env("LD_LIBRARY_PATH", self.library_path()))?;
        let mut files = vec![File::new(name.to_owned(), 0o555, fs::read(&path)?)];
        for line in linked.lines().map(str::trim) {
            let path_of = |words: &str| words.split(' ').next().unwrap_or_default().to_owned();
            let (name, from) = match line.split_once(" => ") {
                Some((library, found)) => (format!("usr/lib/{library}"), path_of(found)),
                // The dynamic linker itself, whose path stands in the program.
                None if line.starts_with('/') => (path_of(&line[1..]), path_of(line)),
                // What the kernel brings.
                None => continue,
            };
            files.push(File::new(
                name,
                0o555,
                fs::read(&from).map_err(|_| format!("{}: {line}", path.display()))?,
            ));
        }
        Ok(files)
    }

    /// Every file below `path` that is needed, at the same place.
    fn below(&self, path: &str, is_needed: &dyn Fn(&str) -> bool) -> Result<Vec<File<'static>>> {
        let files = below(&self.tree.join(path), is_needed)?;
        let packed = files.into_iter().filter(|(path, _)| path.is_file()).map(|(path, mode)| {
            let name = path.strip_prefix(&self.tree)?.display().to_string();
            Ok(File::new(name, mode, fs::read(&path)?))
        });
        packed.collect()
    }
}

/// Everything below `directory` with its mode, sorted, so that directories come before what is in them.
fn below(directory: &Path, is_needed: &dyn Fn(&str) -> bool) -> Result<Vec<(PathBuf, u32)>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if !is_needed(&path.to_string_lossy()) {
            continue;
        }
        found.insert((path.clone(), fs::metadata(&path)?.permissions().mode() & 0o777));
        if path.is_dir() {
            found.extend(below(&path, is_needed)?);
        }
    }
    Ok(found.into_iter().collect())
}
