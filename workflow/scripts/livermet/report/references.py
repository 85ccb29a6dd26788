"""What the methods were published as: one entry a method, cited in the methods by its key."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """A publication."""

    text: str
    doi: str

    @property
    def url(self) -> str:
        """Where its DOI leads."""
        return f"https://doi.org/{self.doi}"


REFERENCES = {
    "yu": Reference("Yu J, Green MD, Li S, et al. Liver metastasis restrains immunotherapy efficacy via macrophage-mediated T cell elimination. Nat Med 27, 152 (2021)", "10.1038/s41591-020-1131-x"),
    "snakemake": Reference("Mölder F, Jablonski KP, Letcher B, et al. Sustainable data analysis with Snakemake. F1000Research 10, 33 (2021)", "10.12688/f1000research.29032.2"),
    "scanpy": Reference("Wolf FA, Angerer P, Theis FJ. SCANPY: large-scale single-cell gene expression data analysis. Genome Biol 19, 15 (2018)", "10.1186/s13059-017-1382-0"),
    "hashing": Reference("Stoeckius M et al. Cell Hashing with barcoded antibodies enables multiplexing and doublet detection for single cell genomics. Genome Biol 19, 224 (2018)", "10.1186/s13059-018-1603-1"),
    "demuxmix": Reference("Klein HU. demuxmix: demultiplexing oligonucleotide-barcoded single-cell RNA sequencing data with regression mixture models. Bioinformatics 39, btad481 (2023)", "10.1093/bioinformatics/btad481"),
    "scrublet": Reference("Wolock SL, Lopez R, Klein AM. Scrublet: computational identification of cell doublets in single-cell transcriptomic data. Cell Syst 8, 281 (2019)", "10.1016/j.cels.2018.11.005"),
    "soupx": Reference("Young MD, Behjati S. SoupX removes ambient RNA contamination from droplet-based single-cell RNA sequencing data. GigaScience 9, giaa151 (2020)", "10.1093/gigascience/giaa151"),
    "efron": Reference("Efron B. Empirical Bayes deconvolution estimates. Biometrika 103, 1-20 (2016)", "10.1093/biomet/asv068"),
    "emptydrops": Reference("Lun ATL, Riesenfeld S, Andrews T, et al. EmptyDrops: distinguishing cells from empty droplets in droplet-based single-cell RNA sequencing data. Genome Biology 20, 63 (2019)", "10.1186/s13059-019-1662-y"),
    "hvg": Reference("Stuart T, Butler A, Hoffman P, et al. Comprehensive integration of single-cell data. Cell 177, 1888 (2019)", "10.1016/j.cell.2019.05.031"),
    "harmony": Reference("Korsunsky I, Millard N, Fan J, et al. Fast, sensitive and accurate integration of single-cell data with Harmony. Nat Methods 16, 1289 (2019)", "10.1038/s41592-019-0619-0"),
    "scanorama": Reference("Hie B, Bryson B, Berger B. Efficient integration of heterogeneous single-cell transcriptomes using Scanorama. Nat Biotechnol 37, 685 (2019)", "10.1038/s41587-019-0113-3"),
    "scvi": Reference("Lopez R, Regier J, Cole MB, Jordan MI, Yosef N. Deep generative modeling for single-cell transcriptomics. Nat Methods 15, 1053 (2018)", "10.1038/s41592-018-0229-2"),
    "scib": Reference("Luecken MD, Büttner M, Chaichoompu K, et al. Benchmarking atlas-level data integration in single-cell genomics. Nat Methods 19, 41 (2022)", "10.1038/s41592-021-01336-8"),
    "hennig": Reference("Hennig C. Cluster-wise assessment of cluster stability. Comput Stat Data Anal 52, 258 (2007)", "10.1016/j.csda.2006.11.025"),
    "faiss": Reference("Johnson J, Douze M, Jégou H. Billion-scale similarity search with GPUs. IEEE Trans Big Data 7, 535 (2021)", "10.1109/TBDATA.2019.2921572"),
    "umap": Reference("McInnes L, Healy J, Saul N, Großberger L. UMAP: uniform manifold approximation and projection. J Open Source Softw 3, 861 (2018)", "10.21105/joss.00861"),
    "leiden": Reference("Traag VA, Waltman L, van Eck NJ. From Louvain to Leiden: guaranteeing well-connected communities. Sci Rep 9, 5233 (2019)", "10.1038/s41598-019-41695-z"),
    "sctype": Reference("Ianevski A, Giri AK, Aittokallio T. Fully-automated and ultra-fast cell-type identification using specific marker combinations from single-cell transcriptomic data. Nat Commun 13, 1246 (2022)", "10.1038/s41467-022-28803-w"),
    "singler": Reference("Aran D, Looney AP, Liu L, et al. Reference-based analysis of lung single-cell sequencing reveals a transitional profibrotic macrophage. Nat Immunol 20, 163 (2019)", "10.1038/s41590-018-0276-y"),
    "celltypist": Reference("Domínguez Conde C, Xu C, Jarvis LB, et al. Cross-tissue immune cell analysis reveals tissue-specific features in humans. Science 376, eabl5197 (2022)", "10.1126/science.abl5197"),
    "tirosh": Reference("Tirosh I, Izar B, Prakadan SM, et al. Dissecting the multicellular ecosystem of metastatic melanoma by single-cell RNA-seq. Science 352, 189 (2016)", "10.1126/science.aad0501"),
    "rarefaction": Reference("Hurlbert SH. The nonconcept of species diversity: a critique and alternative parameters. Ecology 52, 577 (1971)", "10.2307/1934145"),
    "ucell": Reference("Andreatta M, Carmona SJ. UCell: robust and scalable single-cell gene signature scoring. Comput Struct Biotechnol J 19, 3796 (2021)", "10.1016/j.csbj.2021.06.043"),
    "squair": Reference("Squair JW, Gautier M, Kathe C, et al. Confronting false discoveries in single-cell differential expression. Nat Commun 12, 5692 (2021)", "10.1038/s41467-021-25960-2"),
    "edger": Reference("Chen Y, Chen L, Lun ATL, Baldoni PL, Smyth GK. edgeR v4: powerful differential analysis of sequencing data with expanded functionality and improved support for small counts and larger datasets. Nucleic Acids Res 53, gkaf018 (2025)", "10.1093/nar/gkaf018"),
    "tmm": Reference("Robinson MD, Oshlack A. A scaling normalization method for differential expression analysis of RNA-seq data. Genome Biol 11, R25 (2010)", "10.1186/gb-2010-11-3-r25"),
    "voom": Reference("Law CW, Chen Y, Shi W, Smyth GK. voom: precision weights unlock linear model analysis tools for RNA-seq read counts. Genome Biol 15, R29 (2014)", "10.1186/gb-2014-15-2-r29"),
    "limma": Reference("Smyth GK. Linear models and empirical Bayes methods for assessing differential expression in microarray experiments. Stat Appl Genet Mol Biol 3, 3 (2004)", "10.2202/1544-6115.1027"),
    "roast": Reference("Wu D, Lim E, Vaillant F, et al. ROAST: rotation gene set tests for complex microarray experiments. Bioinformatics 26, 2176 (2010)", "10.1093/bioinformatics/btq401"),
    "camera": Reference("Wu D, Smyth GK. Camera: a competitive gene set test accounting for inter-gene correlation. Nucleic Acids Res 40, e133 (2012)", "10.1093/nar/gks461"),
    "aitchison": Reference("Aitchison J. The statistical analysis of compositional data. J R Stat Soc B 44, 139 (1982)", "10.1111/j.2517-6161.1982.tb01195.x"),
    "crumblr": Reference("Hoffman GE, Roussos P. Fast, flexible analysis of differences in cellular composition with crumblr. bioRxiv (2025)", "10.1101/2025.01.29.635498"),
    "fieller": Reference("Fieller EC. Some problems in interval estimation. J R Stat Soc B 16, 175 (1954)", "10.1111/j.2517-6161.1954.tb00159.x"),
    "tost": Reference("Schuirmann DJ. A comparison of the two one-sided tests procedure and the power approach for assessing the equivalence of average bioavailability. J Pharmacokinet Biopharm 15, 657 (1987)", "10.1007/BF01068419"),
    "ash": Reference("Stephens M. False discovery rates: a new deal. Biostatistics 18, 275 (2017)", "10.1093/biostatistics/kxw041"),
    "multiverse": Reference("Simonsohn U, Simmons JP, Nelson LD. Specification curve analysis. Nat Hum Behav 4, 1208 (2020)", "10.1038/s41562-020-0912-z"),
    "holm": Reference("Holm S. A simple sequentially rejective multiple test procedure. Scand J Stat 6, 65 (1979)", "10.2307/4615733"),
    "freedmanlane": Reference("Freedman D, Lane D. A nonstochastic interpretation of reported significance levels. J Bus Econ Stat 1, 292 (1983)", "10.1080/07350015.1983.10509354"),
    "phipson": Reference("Phipson B, Smyth GK. Permutation p-values should never be zero. Stat Appl Genet Mol Biol 9, 39 (2010)", "10.2202/1544-6115.1585"),
    "bh": Reference("Benjamini Y, Hochberg Y. Controlling the false discovery rate: a practical and powerful approach to multiple testing. J R Stat Soc B 57, 289 (1995)", "10.1111/j.2517-6161.1995.tb02031.x"),
}  # fmt: skip
