//! The three names of one program (contracts.md §1), as far as a message gives them.

use crate::ids::{ProgramCode, ProgramExternalId, ProgramId};
use crate::json::Object;
use crate::lookups::{Miss, Programs};

/// The three names of one program. The lookup Program knows the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramIds {
    /// The program system's own id.
    pub id: Option<ProgramId>,
    /// The short code.
    pub code: Option<ProgramCode>,
    /// The third name.
    pub external_id: Option<ProgramExternalId>,
}

impl ProgramIds {
    /// Takes those that are given.
    pub(crate) fn read(object: &Object<'_, '_>) -> Self {
        Self {
            id: object.optional("programId"),
            code: object.optional("programCode"),
            external_id: object.optional("programExternalIdentifier"),
        }
    }

    /// With the ids filled in that the message doesn't carry (contracts.md §4: "DERMS learns all three from flows 2 and 5, or
    /// the Program lookup fills the missing one"). Ids that it does carry are never changed.
    ///
    /// **Interpretation:** the vendor's `/enroll` knows `programId` and `programCode`; `programExternalIdentifier` is ours.
    /// So a program that is not listed is an error only if one of the first two is missing.
    ///
    /// # Errors
    /// A [`Miss`], which is the reason of a business error.
    pub fn completed(&self, programs: &Programs) -> Result<Self, Miss> {
        let mut ids = self.clone();
        let listed = match (&ids.id, &ids.code, &ids.external_id) {
            (Some(_), Some(_), Some(_)) | (None, None, None) => return Ok(ids),
            (Some(id), _, _) => programs.by_id(id.as_str()),
            (None, Some(code), _) => programs.by_code(code.as_str()),
            (None, None, Some(id)) => programs.by_external_id(id.as_str()),
        };
        match listed {
            Ok(program) => {
                ids.id = ids.id.or_else(|| program.id.parse().ok());
                ids.code = ids.code.or_else(|| program.code.parse().ok());
                ids.external_id = ids.external_id.or_else(|| program.external_id.parse().ok());
                Ok(ids)
            }
            Err(_) if ids.id.is_some() && ids.code.is_some() => Ok(ids),
            Err(miss) => Err(miss),
        }
    }
}
