//! How a column of PostgreSQL is read. What the columns of a record mean every adapter knows alike.

use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use super::text::given;
use crate::StoreError;
use crate::encoding::rows::Columns;
use crate::encoding::unreadable;

pub(super) use crate::encoding::rows::{
    bytes, change_from, credential_from, instant, member_from, number, presence_from, revision, role_from,
    stored_token,
};

fn column<'row, T: FromSql<'row>>(row: &'row Row, at: usize) -> Result<T, StoreError> {
    row.try_get(at).map_err(|error| unreadable(&super::error::told(&error)))
}

impl Columns for Row {
    fn number(&self, at: usize) -> Result<i64, StoreError> {
        column(self, at)
    }

    fn optional_number(&self, at: usize) -> Result<Option<i64>, StoreError> {
        column(self, at)
    }

    fn bytes(&self, at: usize) -> Result<&[u8], StoreError> {
        column(self, at)
    }

    fn optional_bytes(&self, at: usize) -> Result<Option<&[u8]>, StoreError> {
        column(self, at)
    }

    fn text(&self, at: usize) -> Result<&str, StoreError> {
        column(self, at)
    }

    fn optional_text(&self, at: usize) -> Result<Option<&str>, StoreError> {
        column(self, at)
    }

    fn written(&self, at: usize) -> Result<String, StoreError> {
        self.text(at).map(given)
    }
}
