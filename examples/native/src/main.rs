//! Builds a maximum and an average pyramid of a picture, and writes every level as a PNG.

mod pyramid;
mod sheet;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use image::{ImageFormat, RgbImage};

use crate::pyramid::{Reduce, pyramid};

const USAGE: &str = "usage: pyramid PICTURE.png FOLDER [LEVELS]

Halves the picture LEVELS times (5, or fewer if it gets too small) by the maximum and by the mean
of 2 x 2 pixels. Writes FOLDER/max-1.png, FOLDER/avg-1.png, ... and FOLDER/pyramids.png, which
shows both: maxima on the left, averages on the right.";

/// What the command line asks for.
struct Request {
    picture: PathBuf,
    folder: PathBuf,
    levels: usize,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let request = match request(&arguments) {
        Ok(Some(request)) => request,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("pyramid: {problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&request) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("pyramid: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// The request of a command line; None where it asks for help.
fn request(arguments: &[String]) -> Result<Option<Request>, String> {
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        return Ok(None);
    }
    let (picture, folder, levels) = match arguments {
        [picture, folder] => (picture, folder, "5"),
        [picture, folder, levels] => (picture, folder, levels.as_str()),
        _ => return Err(format!("two or three arguments, not {}", arguments.len())),
    };
    let levels = match levels.parse() {
        Ok(levels @ 1..) => levels,
        _ => return Err(format!("LEVELS is a number from 1 up, not '{levels}'")),
    };
    Ok(Some(Request { picture: picture.into(), folder: folder.into(), levels }))
}

fn run(request: &Request) -> Result<(), String> {
    let picture = read(&request.picture)?;
    std::fs::create_dir_all(&request.folder)
        .map_err(|error| format!("cannot make the folder {}: {error}", request.folder.display()))?;
    let mut pyramids = Vec::new();
    for reduce in [Reduce::Maximum, Reduce::Average] {
        let levels = pyramid(&picture, reduce, request.levels)
            .map_err(|error| format!("cannot pool {}: {error}", request.picture.display()))?;
        for (number, level) in levels.iter().enumerate() {
            let name = format!("{}-{}.png", reduce.name(), number + 1);
            write(level, &request.folder.join(name))?;
        }
        pyramids.push(levels);
    }
    if pyramids[0].is_empty() {
        let (width, height) = picture.dimensions();
        return Err(format!("a picture of {width} x {height} pixels has no half"));
    }
    write(&sheet::side_by_side(&pyramids), &request.folder.join("pyramids.png"))
}

fn read(path: &Path) -> Result<RgbImage, String> {
    let problem =
        |error: &dyn std::fmt::Display| format!("cannot read {}: {error}", path.display());
    let bytes = std::fs::read(path).map_err(|error| problem(&error))?;
    let picture = image::load_from_memory_with_format(&bytes, ImageFormat::Png);
    Ok(picture.map_err(|error| problem(&error))?.into_rgb8())
}

fn write(picture: &RgbImage, path: &Path) -> Result<(), String> {
    picture
        .save_with_format(path, ImageFormat::Png)
        .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    println!("{} ({} x {})", path.display(), picture.width(), picture.height());
    Ok(())
}
