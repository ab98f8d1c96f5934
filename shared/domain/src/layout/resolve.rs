//! A header against a layout.

use super::{Columns, HeaderFault, HeaderProblem, Layout, Spelling, Unknown, excerpt};
use crate::csv::Record;
use std::collections::{BTreeMap, HashMap};

/// What a name in a header stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Meaning {
    /// The n-th column of the layout.
    Column(usize),
    /// The n-th of the series, counted from 1.
    Series(usize),
}

impl Layout {
    /// Finds the columns in a header.
    ///
    /// **Interpretation:** a name that is the sender's spelling of one of our columns means that column, also where
    /// it is our name of another one; otherwise our own names and their aliases hold.
    ///
    /// # Errors
    ///
    /// Every missing, duplicate, unnamed and (for an allow-list) unknown column, and the first gap in the series.
    pub fn resolve(&self, header: &Record<'_>, spelling: &Spelling) -> Result<Columns, HeaderFault> {
        if header.is_unclosed() {
            return Err(HeaderFault(vec![HeaderProblem::Unclosed]));
        }
        let mut reading = Reading::new(self, spelling);
        for (place, field) in header.iter().enumerate() {
            reading.field(place, field);
        }
        reading.finish()
    }

    /// The names that mean a column of this layout, in a file of a sender with this spelling.
    fn names<'s>(&'s self, spelling: &'s Spelling) -> HashMap<&'s str, Meaning> {
        let mut names = HashMap::new();
        for (index, column) in self.columns.iter().enumerate() {
            for name in column.aliases.iter().chain([&column.name]) {
                names.insert(*name, Meaning::Column(index));
            }
        }
        for (index, column) in self.columns.iter().enumerate() {
            if let Some(theirs) = spelling.of(column.name) {
                names.insert(theirs, Meaning::Column(index));
            }
        }
        names
    }
}

/// A header as far as it was read.
struct Reading<'s> {
    layout: &'s Layout,
    spelling: &'s Spelling,
    known: HashMap<&'s str, Meaning>,
    found: BTreeMap<Meaning, Vec<usize>>,
    others: BTreeMap<String, Vec<usize>>,
    names: Vec<String>,
    canonical: bool,
    problems: Vec<HeaderProblem>,
}

impl<'s> Reading<'s> {
    fn new(layout: &'s Layout, spelling: &'s Spelling) -> Self {
        Self {
            layout,
            spelling,
            known: layout.names(spelling),
            found: BTreeMap::new(),
            others: BTreeMap::new(),
            names: Vec::new(),
            canonical: true,
            problems: Vec::new(),
        }
    }

    fn field(&mut self, place: usize, field: &[u8]) {
        let Ok(name) = std::str::from_utf8(field) else {
            self.problems.push(HeaderProblem::NotUtf8 { field: place + 1 });
            return;
        };
        if name.trim().is_empty() {
            self.problems.push(HeaderProblem::Unnamed { field: place + 1 });
            return;
        }
        let ours = match self.meaning(name) {
            Some(meaning) => {
                self.found.entry(meaning).or_default().push(place);
                self.our_name(meaning)
            }
            None => {
                self.others.entry(name.to_owned()).or_default().push(place);
                name.to_owned()
            }
        };
        self.canonical &= ours == name;
        self.names.push(ours);
    }

    fn meaning(&self, name: &str) -> Option<Meaning> {
        if let Some(meaning) = self.known.get(name) {
            return Some(*meaning);
        }
        let stem = self.layout.series?;
        let number =
            self.spelling.of(stem).and_then(|theirs| name.strip_prefix(theirs)).or_else(|| name.strip_prefix(stem))?;
        let plain = number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0');
        number.parse().ok().filter(|_| plain).map(Meaning::Series)
    }

    fn our_name(&self, meaning: Meaning) -> String {
        match meaning {
            Meaning::Column(index) => self.layout.columns.get(index).map_or("", |column| column.name).to_owned(),
            Meaning::Series(number) => {
                format!("{}{number}", self.layout.series.unwrap_or_default())
            }
        }
    }

    fn finish(mut self) -> Result<Columns, HeaderFault> {
        self.find_missing();
        self.find_gap();
        self.find_duplicates();
        if self.layout.unknown == Unknown::Reject {
            let unknown = self.others.keys().map(|name| HeaderProblem::Unknown { column: excerpt(name) });
            self.problems.extend(unknown);
        }
        if !self.problems.is_empty() {
            return Err(HeaderFault(self.problems));
        }
        let place = |meaning| self.found.get(&meaning).and_then(|places| places.first()).copied();
        let series = (1..).map_while(|number| place(Meaning::Series(number))).collect();
        let places = (0..self.layout.columns.len()).map(|index| place(Meaning::Column(index))).collect();
        let stem = self.layout.series.unwrap_or_default();
        Ok(Columns { places, series, stem, names: self.names, canonical: self.canonical })
    }

    fn find_missing(&mut self) {
        let columns = self.layout.columns.iter().enumerate();
        let missing = columns
            .filter(|(index, column)| column.required && !self.found.contains_key(&Meaning::Column(*index)))
            .map(|(_, column)| self.missing(column.name.to_owned(), self.spelling.of(column.name)));
        let mut missing: Vec<_> = missing.collect();
        if let Some(stem) = self.layout.series
            && !self.found.keys().any(|meaning| matches!(meaning, Meaning::Series(_)))
        {
            missing.push(self.missing(format!("{stem}1"), self.spelling.of(stem)));
        }
        self.problems.extend(missing);
    }

    fn missing(&self, column: String, spelled: Option<&str>) -> HeaderProblem {
        let similar = |name: &&String| name.trim().eq_ignore_ascii_case(spelled.unwrap_or(&column));
        let found = self.others.keys().find(similar).cloned();
        HeaderProblem::Missing { spelled: spelled.map(str::to_owned), found, column }
    }

    fn find_gap(&mut self) {
        let series = |meaning: &Meaning| match meaning {
            Meaning::Series(number) => Some(*number),
            Meaning::Column(_) => None,
        };
        let numbers: Vec<usize> = self.found.keys().filter_map(series).collect();
        let Some(last) = numbers.last() else { return };
        if let Some(gap) = (1..*last).find(|number| numbers.binary_search(number).is_err()) {
            self.problems.push(HeaderProblem::Gap {
                column: self.our_name(Meaning::Series(gap)),
                last: self.our_name(Meaning::Series(*last)),
            });
        }
    }

    fn find_duplicates(&mut self) {
        let known = self.found.iter().map(|(meaning, places)| (self.our_name(*meaning), places));
        let others = self.others.iter().map(|(name, places)| (excerpt(name), places));
        let duplicates: Vec<_> = known
            .chain(others)
            .filter(|(_, places)| places.len() > 1)
            .map(|(column, places)| HeaderProblem::Duplicate {
                column,
                fields: places.iter().map(|place| place + 1).collect(),
            })
            .collect();
        self.problems.extend(duplicates);
    }
}
