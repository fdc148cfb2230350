//! Every file is what `schema.json` says.

use crate::file::{files, folder};
use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Value, json};
use std::fs;

fn compiled() -> (Schemas, SchemaIndex) {
    let text = fs::read_to_string(folder().join("schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("schema.json", schema).unwrap();
    let index = compiler.compile("schema.json", &mut schemas).unwrap();
    (schemas, index)
}

#[test]
fn every_file_is_by_the_schema() {
    let (schemas, index) = compiled();
    for (stem, file) in files() {
        if let Err(err) = schemas.validate(&file, index) {
            panic!("{stem}.json: {err:#}");
        }
    }
}

/// A schema that takes everything would pass the test above.
#[test]
fn a_file_that_is_not_by_the_schema_is_refused() {
    let (schemas, index) = compiled();
    let (_, file) = files().swap_remove(0);
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut other = file.clone();
        change(&mut other);
        schemas.validate(&other, index).is_err()
    };
    assert!(!refused(&|_| {}));
    assert!(refused(&|file| file["schema"] = json!(2)));
    assert!(refused(&|file| file["cases"] = json!([])));
    assert!(refused(&|file| file["cases"][0]["flags"] = json!(["not-camel-case"])));
    assert!(refused(&|file| file["cases"][0]["inputs"]["response_mask"] = json!("110")));
    assert!(refused(&|file| _ = file["cases"][0].as_object_mut().unwrap().remove("tolerance")));
    assert!(refused(&|file| file["cases"][0]["name"] = json!("Not a name")));
    assert!(refused(&|file| file["cases"][0]["extra"] = json!(1)));
}
