"""Which barcodes of a sample are sound cells: quality, doublets, ambient RNA."""
