# What edgeR and limma say of the inputs: `Rscript tests/golden/reference.R tests/golden/inputs tests/golden/reference`.
# Used in development only; the tests read the tables that it writes. No random numbers, nothing but their own functions.
suppressPackageStartupMessages({
  library(edgeR)
  library(limma)
  library(statmod)
})
arguments <- commandArgs(trailingOnly = TRUE)
inputs <- arguments[1]
reference <- arguments[2]
dir.create(reference, showWarnings = FALSE)

read_table <- function(name) {
  as.matrix(read.delim(file.path(inputs, name), row.names = 1, check.names = FALSE))
}

# 15 significant digits; the header names the index as well
write_table <- function(table, name, index = "gene") {
  table <- data.frame(table, check.names = FALSE)
  columns <- c(setNames(list(rownames(table)), index), as.list(table))
  file <- gzfile(file.path(reference, paste0(name, ".tsv.gz")), "w", compression = 9)
  write.table(columns, file, sep = "\t", quote = FALSE, row.names = FALSE, col.names = c(index, colnames(table)))
  close(file)
}

# limma's own way to a contrast: the design is turned until the contrast is a coefficient, so that nothing is approximated
fit_contrast <- function(values, matrix, contrast, ...) {
  turned <- contrastAsCoef(matrix, contrast, first = TRUE)
  fit <- eBayes(lmFit(values, turned$design, ...))
  data.frame(
    change = fit$coefficients[, 1], error = (fit$stdev.unscaled * sqrt(fit$s2.post))[, 1],
    df = fit$df.total, p_value = fit$p.value[, 1], row.names = rownames(fit$coefficients)
  )
}

pick <- function(tables, column) sapply(tables, function(table) table[[column]])

for_each_contrast <- function(contrasts, ask, names_of_rows) {
  tables <- apply(contrasts, 1, ask, simplify = FALSE)
  columns <- colnames(tables[[1]])
  wide <- do.call(cbind, lapply(columns, function(column) {
    part <- pick(tables, column)
    colnames(part) <- paste(rownames(contrasts), column, sep = ":")
    part
  }))
  rownames(wide) <- names_of_rows
  wide
}

sets <- read.delim(file.path(inputs, "sets.tsv"))
sets <- split(sets, factor(sets$set, unique(sets$set)))

# edgeR 4.4.2 stops a fit after 250 iterations and then hands out, without a word, deviance and iterations of the gene before
# it in the table. Its own fitter is let run on, so that the tables tell what it says from what it would say.
run_to_the_end <- function(fit, design) {
  fitted <- glmFit(fit$counts, design, offset = fit$offset, dispersion = dispersion_of(fit), prior.count = 0)
  if (fitted$method != "levenberg") { # groups alone: another fitter, without that limit
    return(list(stopped = rep(FALSE, nrow(fit)), deviance = fitted$deviance))
  }
  offset <- as.matrix(fit$offset)
  longer <- mglmLevenberg(fit$counts, design, dispersion_of(fit), offset, maxit = 1e6, tol = 1e-12)
  list(stopped = longer$iter > 250, deviance = ifelse(longer$iter > 250, longer$deviance, fitted$deviance))
}

dispersion_of <- function(fit) fit$dispersion / fit$average.ql.dispersion

run_null_fits_to_the_end <- function(fit, contrast, test) {
  stopifnot(!any(run_to_the_end(fit, fit$design)$stopped))
  turned <- contrastAsCoef(fit$design, contrast, first = TRUE)
  null <- run_to_the_end(fit, turned$design[, -turned$coef, drop = FALSE])
  f <- ifelse(null$stopped, (null$deviance - fit$deviance) / fit$s2.post, test$table$F)
  data.frame(stopped = as.integer(null$stopped), F_to_the_end = f)
}

study_quasi_likelihood <- function(name, dge, matrix, contrasts) {
  fit <- glmQLFit(dge, matrix, legacy = FALSE)
  genes <- data.frame(
    logCPM = fit$AveLogCPM, df_residual = fit$df.residual.adj, df_prior = fit$df.prior,
    s2_prior = fit$s2.prior, s2_post = fit$s2.post, row.names = rownames(dge)
  )
  write_table(genes, paste0(name, ".edger_genes"))
  fitted <- c(dispersion = fit$dispersion, average_ql = fit$average.ql.dispersion, top = fit$top.proportion)
  write_table(data.frame(value = fitted), paste0(name, ".edger_fit"), "name")
  tests <- for_each_contrast(contrasts, function(contrast) {
    test <- glmQLFTest(fit, contrast = contrast)
    ended <- run_null_fits_to_the_end(fit, contrast, test)
    data.frame(
      test$table[, c("logFC", "F", "PValue")], df = test$df.total, ended,
      PValue_to_the_end = pf(ended$F_to_the_end, 1, test$df.total, lower.tail = FALSE)
    )
  }, rownames(dge))
  write_table(tests, paste0(name, ".edger_tests"))
}

write_voom <- function(found, name) {
  some <- seq_len(min(40, nrow(found)))
  both <- cbind(found$E[some, ], found$weights[some, ])
  colnames(both) <- c(paste0("E:", colnames(found)), paste0("w:", colnames(found)))
  write_table(both, name)
}

# Mice with several tissues: voom, correlation, both once more (limma User's Guide 18.1.9)
study_blocks <- function(name, dge, matrix, contrasts, mice, found) {
  first <- duplicateCorrelation(found, matrix, block = mice)$consensus.correlation
  again <- voom(dge, matrix, block = mice, correlation = first)
  second <- duplicateCorrelation(again, matrix, block = mice)$consensus.correlation
  write_table(data.frame(value = c(first = first, second = second)), paste0(name, ".block_fit"), "name")
  write_voom(again, paste0(name, ".block_voom"))
  tests <- for_each_contrast(contrasts, function(contrast) {
    fit_contrast(again, matrix, contrast, block = mice, correlation = second)
  }, rownames(dge))
  write_table(tests, paste0(name, ".block_tests"))
  list(found = again, correlation = second)
}

study_voom <- function(name, dge, matrix, contrasts) {
  found <- voom(dge, matrix)
  write_voom(found, paste0(name, ".voom"))
  tests <- for_each_contrast(contrasts, function(contrast) {
    test <- fit_contrast(found, matrix, contrast)
    shortcut <- eBayes(contrasts.fit(lmFit(found, matrix), contrast))
    cbind(test, shortcut_p_value = shortcut$p.value[, 1])
  }, rownames(dge))
  write_table(tests, paste0(name, ".limma_tests"))
  found
}

# voom's weights in two parts: one number a unit, one number a gene (the means of their logarithms). Mice that repeat are
# blocks: fry and the means of sets take the correlation of the means, camera, which has no blocks, is given whitened genes.
study_sets <- function(name, found, matrix, contrasts, mice, within) {
  logs <- log(found$weights)
  units <- exp(colMeans(logs))
  units <- units / mean(units)
  scaled <- found$E * sqrt(exp(rowMeans(logs)))
  index <- lapply(sets, function(set) {
    place <- match(set$gene, rownames(found))
    data.frame(place = place, sign = set$sign)[!is.na(place), ]
  })
  wanted <- sapply(sets, nrow)
  index <- index[sapply(index, nrow) >= pmax(3, 0.25 * wanted)]
  scores <- t(sapply(index, function(set) colMeans(found$E[set$place, , drop = FALSE] * set$sign)))
  root <- chol(outer(mice, mice, "==") * within + diag(1 - within, length(mice)))
  whitened <- t(backsolve(root, t(scaled) * sqrt(units), transpose = TRUE))
  whitened_matrix <- backsolve(root, matrix * sqrt(units), transpose = TRUE)
  block <- list()
  if (anyDuplicated(mice)) {
    weights <- asMatrixWeights(units, dim(scores))
    correlation <- duplicateCorrelation(scores, matrix, block = mice, weights = weights)$consensus.correlation
    write_table(data.frame(value = c(scores = correlation)), paste0(name, ".sets_fit"), "name")
    stopifnot(correlation > 0) # the pipeline takes a negative one for 0
    block <- list(block = mice, correlation = correlation)
  }
  tests <- for_each_contrast(contrasts, function(contrast) {
    self_contained <- do.call(fry, c(list(scaled, index, matrix, contrast, sort = "none", array.weights = units), block))
    competitive <- sapply(index, function(set) {
      turned <- whitened
      turned[set$place, ] <- turned[set$place, ] * set$sign
      camera(turned, list(set = set$place), whitened_matrix, contrast)$PValue
    })
    score <- do.call(fit_contrast, c(list(scores, matrix, contrast, weights = units), block))
    data.frame(n_genes = sapply(index, nrow), fry = self_contained$PValue, camera = competitive, score)
  }, names(index))
  write_table(tests, paste0(name, ".sets"), "set")
}

for (name in sub(".counts.tsv.gz", "", list.files(inputs, "counts.tsv.gz$"), fixed = TRUE)) {
  counts <- read_table(paste0(name, ".counts.tsv.gz"))
  matrix <- read_table(paste0(name, ".matrix.tsv"))
  contrasts <- read_table(paste0(name, ".contrasts.tsv"))
  mice <- read_table(paste0(name, ".mice.tsv"))[, "mouse"]
  kept <- filterByExpr(counts, design = matrix)
  dge <- calcNormFactors(DGEList(counts[kept, ]))
  write_table(data.frame(kept = as.integer(kept), row.names = rownames(counts)), paste0(name, ".kept"))
  samples <- data.frame(lib_size = dge$samples$lib.size, factor = dge$samples$norm.factors, row.names = colnames(dge))
  write_table(samples, paste0(name, ".libraries"), "unit")
  some <- seq_len(min(40, nrow(dge)))
  write_table(cpm(dge, log = TRUE, prior.count = 2)[some, ], paste0(name, ".log_cpm"))
  study_quasi_likelihood(name, dge, matrix, contrasts)
  found <- study_voom(name, dge, matrix, contrasts)
  within <- 0
  if (anyDuplicated(mice)) {
    blocked <- study_blocks(name, dge, matrix, contrasts, mice, found)
    found <- blocked$found
    within <- blocked$correlation
  }
  study_sets(name, found, matrix, contrasts, mice, within)
}

# Quantities with holes in them, with weights, with and without the mouse as block
values <- read_table("rows.values.tsv.gz")
weights <- read_table("rows.weights.tsv.gz")
weights[is.na(weights)] <- 0
matrix <- read_table("tissues.matrix.tsv")
contrasts <- read_table("tissues.contrasts.tsv")
mice <- read_table("tissues.mice.tsv")[, "mouse"]
plain <- for_each_contrast(contrasts, function(contrast) {
  fit_contrast(values, matrix, contrast, weights = weights)
}, rownames(values))
write_table(plain, "rows.plain", "row")
correlation <- duplicateCorrelation(values, matrix, block = mice, weights = weights)$consensus.correlation
write_table(data.frame(value = c(correlation = correlation)), "rows.block_fit", "name")
blocked <- for_each_contrast(contrasts, function(contrast) {
  fit_contrast(values, matrix, contrast, weights = weights, block = mice, correlation = correlation)
}, rownames(values))
write_table(blocked, "rows.block", "row")

variances <- read_table("variances.tsv.gz")
equal <- squeezeVar(variances[, "variance"], 3)
unequal <- squeezeVar(variances[, "variance"], variances[, "df"])
squeezed <- data.frame(
  equal = equal$var.post, equal_prior = equal$var.prior, equal_df = equal$df.prior,
  unequal = unequal$var.post, unequal_prior = unequal$var.prior, unequal_df = unequal$df.prior,
  row.names = rownames(variances)
)
write_table(squeezed, "variances", "row")

writeLines(capture.output(sessionInfo()), file.path(reference, "versions.txt"))
